/**
 * A process with an embedded engine that knows a cluster `here`: one shard, itself. In: nothing.
 * Out: one message to its parent, what `v_truck` shows after rows were written twice through the
 * distributed table; the parent ends it (the engine's own clean-up at the end of a process with
 * distributed tables was seen to hang for five minutes). Replication needs a keeper and is left out
 * of the statements, as is ON CLUSTER; the rest is run as it is rendered.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openChdb } from '../../../src/engine/clickhouse/chdb.ts';
import { usersXml } from '../../../src/engine/clickhouse/configuration.ts';
import { migrationStatements, ROOM, TRUCK } from './fixture.ts';

const DATABASE = 'fleet';
const SHARD = '<host>127.0.0.1</host><port>9000</port>';
const COLUMNS =
  'tenant, site, device, event_time, partition, sequence, ordinal, presence, version, velocity, ' +
  'expires_at';
const KEY = "'2026-07-01 10:00:00', 0, 1, 0, 7";
const NEVER = "'2100-01-01 00:00:00'";

const folder = process.argv[2]!;
mkdirSync(join(folder, 'tmp'));
writeFileSync(join(folder, 'users.xml'), usersXml());
writeFileSync(
  join(folder, 'config.xml'),
  `<clickhouse>
  <timezone>UTC</timezone>
  <users_config>${join(folder, 'users.xml')}</users_config>
  <tmp_path>${join(folder, 'tmp')}/</tmp_path>
  <!-- Nobody listens there: the engine knows its own address and calls itself. -->
  <tcp_port>9000</tcp_port>
  <remote_servers><here><shard><replica>${SHARD}</replica></shard></here></remote_servers>
</clickhouse>`,
);

const engine = openChdb(join(folder, 'data'), join(folder, 'config.xml')).connect();
const statements = await migrationStatements({ database: DATABASE, cluster: 'here' }, [
  TRUCK,
  ROOM,
]);
for (const statement of statements.filter((text) => text.startsWith('CREATE'))) {
  const single = statement
    .replace(" ON CLUSTER 'here'", '')
    .replace(/Replicated(ReplacingMergeTree\()'[^']*', '\{replica\}', /, '$1')
    .replace('replicated_dedup', 'non_replicated_dedup');
  await engine.run(single);
}
await engine.run(`SYSTEM STOP MERGES ${DATABASE}.local_ch_truck`);
for (const [device, version, velocity] of [
  ['truck_1', 1, 1],
  ['truck_2', 2, 2],
  ['truck_1', 2, 8],
] as const) {
  await engine.run(
    `INSERT INTO ${DATABASE}.ch_truck (${COLUMNS}) SETTINGS distributed_foreground_insert = 1 ` +
      `VALUES ('acme', 'north', '${device}', ${KEY}, ${version}, ${velocity}, ${NEVER})`,
  );
}
const { bytes } = await engine.run(
  `SELECT device, velocity FROM ${DATABASE}.v_truck ORDER BY device`,
  'JSONEachRow',
);
for (const view of ['v_readings', 'v_agg_1h', 'v_ledger', 'v_alerts', 'v_devices']) {
  await engine.run(`SELECT * FROM ${DATABASE}.${view} FORMAT Null`);
}
const rows = bytes.toString('utf8').trim().split('\n');
process.send!(rows.map((row) => JSON.parse(row) as unknown));
