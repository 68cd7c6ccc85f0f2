/**
 * A process that inserts into a ClickHouse that is not there, to be killed hard. In: spool folder,
 * number of turns. Out: a line per position that counted as flushed. It never ends by itself.
 */
import { systemClock } from '../../../../src/base/clock.ts';
import { channelTable } from '../../../../src/model/table.ts';
import { createConnection } from '../../../../src/readmodel/connection.ts';
import { createInserter } from '../../../../src/readmodel/inserter.ts';
import { openSpool } from '../../../../src/readmodel/spool/spool.ts';
import { nativeBlock } from '../../../support/native-writer.ts';
import { TRUCK, truckRow } from '../fixture.ts';

const [folder, database, turns] = process.argv.slice(2);
const NOBODY = 'http://127.0.0.1:9'; // discard: nothing listens there

const inserter = createInserter({
  connection: createConnection({ url: NOBODY, user: 'default', password: '' }),
  database: database!,
  log: 'main',
  clock: systemClock,
  spool: await openSpool({ folder: folder!, bytesMax: 64 * 1024 ** 2 }),
  spoolCovers: 'checkpoints',
  spillAfterMs: 10,
  flushMs: 1,
});
for (let sequence = 1; sequence <= Number(turns); sequence += 1) {
  const block = nativeBlock(channelTable(TRUCK), [truckRow({ sequence, partition: 3 })]);
  await inserter.insert(3, [block], BigInt(sequence));
  await inserter.flushed(3);
  process.stdout.write(`${sequence}\n`);
}
setInterval(() => undefined, 60_000);
