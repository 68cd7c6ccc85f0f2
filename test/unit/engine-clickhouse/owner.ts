/** A process that owns an engine, to be killed by a test. */
import { createClickHouseEngine } from '../../../src/engine/clickhouse/engine.ts';
import { USERS } from './endpoint.ts';

const dataDir = process.argv[2]!;
const engine = createClickHouseEngine({ dataDir, port: 'auto', users: USERS });
void engine.start().then((address) => process.send?.(address));
