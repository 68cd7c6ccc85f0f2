/**
 * The kernel's Native blocks against a real ClickHouse: every table takes them as declared, and
 * what is read back is what the test's own reader reads from the bytes.
 */
import { createClient } from '@clickhouse/client';
import { expect } from 'chai';
import type { Block } from '../../src/model/doors.ts';
import type { Plan } from '../../src/model/plan.ts';
import {
  aggregateTable,
  channelTable,
  DEAD_LETTERS,
  DEVICES,
  LEDGER,
  type Table,
} from '../../src/model/table.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../support/clickhouse.ts';
import { type NativeRow, readNative, readNativeRows } from '../support/native.ts';
import { startKernel } from './build.ts';
import { GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const METRICS = [
  metricOf(0, 'speed', { max: 100 }),
  metricOf(1, 'errors', { kind: 'integer' }),
  metricOf(2, 'moving', { kind: 'boolean' }),
];
const PLAN: Plan = planOf([channelOf(0, 'truck', { metrics: METRICS, windows: [MINUTE_WINDOW] })], {
  deadLetterRetentionMs: 86_400_000,
});

/** Samples of three kinds of value, a rejection, bytes that are no text, windows that fire. */
function writeLog(): LogWriter {
  const log = new LogWriter();
  log.plan(PLAN);
  for (let minute = 0; minute < 3; minute += 1) {
    for (let device = 0; device < 5; device += 1) {
      const timeMs = log.nowMs;
      const readings = [
        { metric: 1, number: device * 30 },
        { metric: 2, integer: -(2n ** 60n) - BigInt(device) },
        { metric: 3, boolean: device % 2 === 0 },
      ];
      const payload = encodeTelemetry({ samples: [{ timeMs, readings }] });
      const to = { device: `d${device}`, channel: 'truck', receivedAtMs: log.nowMs };
      log.batch([
        recordOf({ ...to, payload }),
        recordOf({ ...to, payload: new Uint8Array([255, 254, 0, 10, 10, 200]) }),
      ]);
    }
    log.at(log.nowMs + 60_000).tick();
  }
  return log;
}

async function blocksOf(log: LogWriter): Promise<Block[]> {
  const kernel = await startKernel('simd');
  const partition = kernel.open({
    ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 },
  });
  const blocks: Block[] = [];
  for (const chunk of all(log.messages)) {
    for (let turn = await partition.turn(chunk); ; turn = await partition.resume()) {
      blocks.push(...turn.blocks);
      if (turn.status === 'done') break;
      if (turn.status === 'plan') partition.usePlan(JSON.stringify(PLAN));
    }
  }
  await kernel.stop();
  return blocks;
}

const TABLES: readonly Table[] = [
  channelTable(PLAN.channels[0]!),
  aggregateTable('1m'),
  LEDGER,
  DEAD_LETTERS,
  DEVICES,
];

describe('native blocks', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let blocks: Block[];
  before(async () => {
    blocks = await blocksOf(writeLog());
  });

  it('have the columns of their tables, in order, with the types of the wire', () => {
    for (const block of blocks) {
      const table = TABLES.find(({ name }) => name === block.table)!;
      const { rows, columns } = readNative(block.bytes);
      expect(rows).to.equal(block.rows);
      expect(columns.map(({ name, type }) => ({ name, type }))).to.deep.equal(
        table.columns.map(({ name, type, wire }) => ({ name, type: wire ?? type })),
      );
    }
    const written = [...new Set(blocks.map((block) => block.table))];
    expect(written.sort()).to.deep.equal(TABLES.map((table) => table.name).sort());
  });

  describe('in ClickHouse', () => {
    let server: TestClickHouse;
    before(async () => {
      server = await startClickHouse();
    });
    after(() => server.stop());

    it('are taken by every table, and read back as they were written', async () => {
      const { user: username, password } = server.admin;
      const client = createClient({ url: server.url, username, password });
      try {
        for (const table of TABLES) {
          await client.command({ query: createTable(table) });
          const own = blocks.filter((block) => block.table === table.name);
          for (const block of own) {
            const insert = encodeURIComponent(`INSERT INTO ${table.name} FORMAT Native`);
            const answer = await fetch(`${server.url}/?query=${insert}`, {
              method: 'POST',
              body: block.bytes as never,
              headers: { 'X-ClickHouse-User': username, 'X-ClickHouse-Key': password },
            });
            expect(answer.status, await answer.text()).to.equal(200);
          }
          const wanted = own.flatMap((block) => readNativeRows(block.bytes));
          expect(await readBack(client, table), table.name).to.deep.equal(checksums(table, wanted));
        }
      } finally {
        await client.close();
      }
    });
  });
});

/**
 * The table's types, but an engine that keeps every row: replacing is the read model's own test.
 */
const createTable = ({ name, columns }: Table): string =>
  `CREATE TABLE ${name} (${columns.map((each) => `\`${each.name}\` ${each.type}`).join(', ')})
   ENGINE = Memory`;

const quoted = (name: string): string => `\`${name}\``;
const NUMERIC = /^(U?Int\d+|Float64)$/;

/** Rows, and the sum of every column of numbers as text: enough to notice any shifted byte. */
async function readBack(client: ReturnType<typeof createClient>, table: Table) {
  const sums = table.columns
    .filter(({ type }) => NUMERIC.test(type))
    .map(({ name, type }) => {
      const value = type === 'Float64' ? quoted(name) : `toInt256(${quoted(name)})`;
      return `toString(sum(${value})) AS ${quoted(name)}`;
    });
  const texts = table.columns
    .filter(({ wire }) => wire === 'String')
    .map(({ name }) => `arraySort(groupUniqArray(toString(${quoted(name)}))) AS ${quoted(name)}`);
  const result = await client.query({
    query: `SELECT ${['toString(count()) AS rows', ...sums, ...texts].join()} FROM ${table.name}`,
    format: 'JSONEachRow',
  });
  const [row] = (await result.json()) as Record<string, unknown>[];
  return row;
}

function checksums(table: Table, rows: readonly NativeRow[]): Record<string, unknown> {
  const sums: Record<string, unknown> = { rows: String(rows.length) };
  for (const { name, type } of table.columns) {
    if (!NUMERIC.test(type)) continue;
    const values = rows.map((row) => row[name]!);
    if (type === 'Float64') sums[name] = String(values.reduce((a, b) => Number(a) + Number(b), 0));
    else sums[name] = String(values.reduce((a: bigint, b) => a + BigInt(b as number), 0n));
  }
  for (const { name, wire } of table.columns) {
    if (wire === 'String') sums[name] = [...new Set(rows.map((row) => row[name] as string))].sort();
  }
  return sums;
}
