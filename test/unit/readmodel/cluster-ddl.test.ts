import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { siblingModule } from '../../../src/base/sibling.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { aggregateTable, channelTable, VISIBLE } from '../../../src/model/table.ts';
import { type Connection, createConnection } from '../../../src/readmodel/connection.ts';
import { renderAddColumn, renderTable, shardingKey } from '../../../src/readmodel/ddl.ts';
import { createMigration } from '../../../src/readmodel/migration.ts';
import { visibleSelect } from '../../../src/readmodel/visibility.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { channel, metric, migrationStatements, ROOM, TRUCK } from './fixture.ts';

const DATABASE = 'fleet';
const TEXTS = channel(2, 'local_x', [metric(0, "it's", 'text', '1')]);
const CHANNELS = [TRUCK, ROOM, TEXTS];
const AT_CLUSTER = { database: DATABASE, cluster: '{cluster}' };
const AT_SERVER = { database: DATABASE, cluster: null };

describe('tables and views on a ClickHouse cluster', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let connection: Connection;
  let statements: string[];

  before(async () => {
    clickHouse = await startClickHouse();
    connection = createConnection({ url: clickHouse.url, ...clickHouse.admin });
    statements = await migrationStatements(AT_CLUSTER, CHANNELS);
  });
  after(async () => {
    await connection?.close();
    await clickHouse?.stop();
  });

  const definitions = (kind: string): string[] =>
    statements.filter((statement) => statement.startsWith(`CREATE ${kind}`));
  const nameOf = (statement: string): string => /`fleet`\.`([^`]+)`/.exec(statement)![1]!;

  it('are statements that ClickHouse can read, every one of them', async () => {
    expect(definitions('TABLE').length).to.be.above(20);
    expect(definitions('OR REPLACE VIEW').length).to.be.above(8);
    for (const statement of [
      ...statements,
      visibleSelect({ ...AT_CLUSTER, connection, log: '' }),
    ]) {
      const [row] = await connection.rows<{ text: string }>(
        'SELECT formatQuery({statement: String}) AS text',
        { statement },
      );
      expect(row!.text, statement).to.not.equal('');
    }
  });

  it('are made on every server', () => {
    for (const statement of statements.filter((text) => /^(CREATE|ALTER)/.test(text))) {
      expect(statement.split('\n')[0]).to.include(" ON CLUSTER '{cluster}'");
    }
  });

  it('keep rows in replicated tables, each with a distributed one over it', () => {
    const names = definitions('TABLE').map(nameOf);
    const stored = definitions('TABLE').filter((text) => text.includes('ReplacingMergeTree('));
    for (const statement of stored) {
      const name = nameOf(statement);
      const path = `'/clickhouse/tables/{shard}/${DATABASE}/${name}', '{replica}'`;
      expect(statement).to.include(`ENGINE = ReplicatedReplacingMergeTree(${path}, `);
      expect(name).to.match(/^local_/);
      expect(names).to.include(name.slice('local_'.length));
    }
    const distributed = definitions('TABLE').filter((text) => !stored.includes(text));
    expect(distributed).to.have.length(stored.length);
    for (const statement of distributed) {
      const name = nameOf(statement);
      const place = `'{cluster}', '${DATABASE}', 'local_${name}'`;
      expect(statement).to.include(`ENGINE = Distributed(${place}, sipHash64(`);
    }
    expect(new Set(names).size, 'no two tables share a name').to.equal(names.length);
  });

  it('read through the distributed tables, and FINAL where rows have versions', () => {
    for (const statement of definitions('OR REPLACE VIEW')) {
      expect(statement).to.not.include('`local_agg');
      const sources = statement.match(/FROM `fleet`\.`[^`]+`( AS t)?( FINAL)?/g) ?? [];
      for (const source of sources.filter((text) => !text.includes('`ledger` WHERE'))) {
        const isGreatest = source === 'FROM `fleet`.`ledger`'; // a maximum needs no versions
        expect(isGreatest || source.endsWith(' FINAL'), source).to.equal(true);
        expect(source).to.not.match(/`local_(ch|agg|ledger)/);
      }
    }
  });

  it('send all versions of a row to one shard', async () => {
    const keys = new Map<string, readonly string[]>();
    for (const table of [channelTable(TRUCK), aggregateTable('1m'), VISIBLE]) {
      const names = shardingKey(table)
        .match(/`([^`]+)`/g)!
        .map((name) => name.slice(1, -1));
      for (const name of names) expect(table.orderBy, table.name).to.include(name);
      keys.set(table.name, names);
    }
    expect(keys.get('ch_truck')).to.deep.equal(['tenant', 'site', 'device']);
    expect(keys.get('agg_1m')).to.deep.equal(['tenant', 'site', 'device']);
    expect(keys.get('visible')).to.deep.equal(['log', 'partition']);
  });

  it('have sharding keys that ClickHouse takes: plain integers', async () => {
    await connection.command(`CREATE DATABASE ${DATABASE}`);
    for (const statement of await migrationStatements(AT_SERVER, CHANNELS)) {
      if (statement.startsWith('CREATE TABLE')) await connection.command(statement);
    }
    for (const statement of definitions('TABLE').filter((text) => text.includes('Distributed('))) {
      const key = /sipHash64\(.*?\)/.exec(statement)![0];
      const [row] = await connection.rows<{ type: string }>(
        `DESCRIBE (SELECT ${key} AS k FROM ${DATABASE}.\`${nameOf(statement)}\`)`,
      );
      expect(row!.type, statement).to.equal('UInt64');
    }
  });

  it('get new columns in both tables, the stored one first', () => {
    const [stored, distributed] = renderAddColumn(
      channelTable(TRUCK),
      { name: 'load', type: 'Float64', codec: 'ZSTD(1)' },
      AT_CLUSTER,
      'gear',
    );
    expect(stored).to.equal(
      "ALTER TABLE `fleet`.`local_ch_truck` ON CLUSTER '{cluster}' " +
        'ADD COLUMN IF NOT EXISTS `load` Float64 CODEC(ZSTD(1)) AFTER `gear`',
    );
    expect(distributed).to.equal(
      "ALTER TABLE `fleet`.`ch_truck` ON CLUSTER '{cluster}' " +
        'ADD COLUMN IF NOT EXISTS `load` Float64 AFTER `gear`',
    );
  });

  it('differ from those of a single server in nothing but what makes a cluster', () => {
    for (const table of [channelTable(TEXTS), aggregateTable('1h'), VISIBLE]) {
      const [single, ...more] = renderTable(table, AT_SERVER);
      expect(more).to.deep.equal([]);
      const [stored] = renderTable(table, AT_CLUSTER);
      const back = stored!
        .replace('`.`local_', '`.`')
        .replace(" ON CLUSTER '{cluster}'", '')
        .replace(/Replicated(ReplacingMergeTree\()'[^']*', '\{replica\}', /, '$1')
        .replace('replicated_dedup', 'non_replicated_dedup');
      expect(back).to.equal(single);
    }
  });

  it('show one row per key, however often it was written', async () => {
    const rows = await rowsOfEngineWithCluster();
    expect(rows).to.deep.equal([
      { device: 'truck_1', velocity: 8 },
      { device: 'truck_2', velocity: 2 },
    ]);
  });

  it('are refused where tables of a single server have their names', async () => {
    const database = 'before';
    const single = createMigration(connection, { database, log: 'main', cluster: null });
    await single.start();
    const onCluster = createMigration(withoutDdl(connection), {
      ...{ database, log: 'main', cluster: 'pair' },
    });
    const error = await onCluster.start().catch((failure: unknown) => failure);
    expect(isOperatingError(error, 'SCHEMA_CONFLICT'), String(error)).to.equal(true);
    expect(String(error)).to.include('expected Distributed, as clickhouse.cluster is set');
  });
});

/** Statements for a cluster need one; questions do not. */
function withoutDdl(connection: Connection): Connection {
  return { ...connection, command: async () => undefined };
}

/** What `v_truck` gives in an engine that knows a cluster of one shard: itself. */
async function rowsOfEngineWithCluster(): Promise<unknown> {
  const script = siblingModule(import.meta.url, './cluster-engine');
  const folder = mkdtempSync(join(tmpdir(), 'millrace-cluster-'));
  const child = fork(script.pathname, [folder]);
  const ended = once(child, 'exit');
  try {
    const failed = ended.then(([code, signal]) => {
      throw new Error(`the engine ended without an answer (${code ?? signal})`);
    });
    const [rows] = await Promise.race([once(child, 'message'), failed]);
    return rows;
  } finally {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}
