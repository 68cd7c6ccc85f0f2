/**
 * W6: what storing rows costs in each format, by processor time of the sender and of ClickHouse.
 * In: how many rows. Out: a measurement for each subject; every subject fills a table of its own
 * with the same rows (equal hashes, or the bench is wrong). Merges are off meanwhile.
 */
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { systemClock } from '../../src/base/clock.ts';
import { type Connection, createConnection } from '../../src/readmodel/connection.ts';
import { planText } from '../../src/registry/index.ts';
import { configText, type DrainCase } from '../drain/case.ts';
import { openStage, type Stage } from '../drain/stage.ts';
import { commit, cpuSeconds, type Measurement } from '../measurement.ts';
import { batchesOf, blocksOf, type RowBatch } from './rows.ts';

/** `native`: Millrace's own way; `native-http`: the same bytes sent, as to a server elsewhere. */
export const SUBJECTS = ['native', 'native-http', 'rowbinary', 'jsoneachrow', 'objects'] as const;
type SubjectName = (typeof SUBJECTS)[number];

export interface InsertMeasurement extends Measurement {
  readonly rowsPerCpuSecond: number;
  readonly cpuMicrosPerEventBy: Readonly<Record<string, number>>;
}

interface Bench {
  readonly stage: Stage;
  readonly table: string;
  readonly client: ClickHouseClient;
  readonly connection: Connection;
}

export async function runInsert(
  given: DrainCase,
  rows: number,
  rounds: number,
): Promise<InsertMeasurement[]> {
  const stage = await openStage(configText(given));
  const { url, user, password, database, handOverFolder = null } = stage.engines.clickhouse;
  const client = createClient({ url, username: user, password, database });
  const connection = createConnection({ url, user, password, handOverFolder });
  try {
    const millrace = await stage.startMillrace();
    const text = planText(millrace.plan);
    await millrace.stop();
    const table = `${database}.ch_${given.shape.channel}`;
    const blocks = await blocksOf(given, text, rows);
    const batches = await batchesOf(blocks, table, connection, stage.query);
    const bench = { stage, table, client, connection };
    const measured: InsertMeasurement[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const order = round % 2 === 0 ? [...SUBJECTS] : [...SUBJECTS].reverse();
      for (const subject of order) measured.push(await measure(bench, given, subject, batches));
    }
    return measured;
  } finally {
    await client.close();
    await connection.close();
    await stage.close();
  }
}

async function measure(
  bench: Bench,
  given: DrainCase,
  subject: SubjectName,
  batches: readonly RowBatch[],
): Promise<InsertMeasurement> {
  const { connection, stage } = bench;
  const table = `${bench.table}_bench`;
  await connection.command(`CREATE TABLE ${table} AS ${bench.table}`);
  await connection.command(`SYSTEM STOP MERGES ${table}`);
  // Parsed before: a sender has objects, not text.
  const objects =
    subject === 'objects' ? batches.map(({ json }) => objectsOf(json)) : batches.map(() => []);
  globalThis.gc?.();
  const before = cpuSeconds(process.pid);
  const startedMs = systemClock.monotonicMs();
  for (const [index, batch] of batches.entries()) {
    await insert({ ...bench, table }, subject, batch, objects[index]!);
  }
  const wallSeconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const after = cpuSeconds(process.pid);
  const [result] = await stage.query.rows<{ rows: string; hash: string }>(
    `SELECT count() AS rows, lower(hex(groupBitXor(cityHash64(*)))) AS hash FROM ${table}`,
  );
  await connection.command(`DROP TABLE ${table} SYNC`);
  const rows = Number(result!.rows);
  const by = Object.fromEntries(
    [...after].map(([name, seconds]) => [name, ((seconds - (before.get(name) ?? 0)) * 1e6) / rows]),
  );
  const cpuMicrosPerEvent = Object.values(by).reduce((sum, micros) => sum + micros, 0);
  return {
    workload: 'insert',
    case: given.name,
    subject,
    events: rows,
    wallSeconds,
    cpuMicrosPerEvent,
    eventsPerSecond: rows / wallSeconds,
    resultHash: result!.hash,
    commit: commit(),
    rowsPerCpuSecond: 1e6 / cpuMicrosPerEvent,
    cpuMicrosPerEventBy: by,
  };
}

async function insert(
  { table, client, connection }: Bench,
  subject: SubjectName,
  batch: RowBatch,
  objects: readonly object[],
): Promise<void> {
  const token = `${subject}-${batch.rows}-${tokens++}`;
  if (subject === 'native') {
    await connection.insertNative({ table, blocks: batch.native, token });
  } else if (subject === 'objects') {
    await client.insert({ table, values: objects, format: 'JSONEachRow' });
  } else {
    const [format, bytes] = {
      'native-http': ['Native', batch.native] as const,
      rowbinary: ['RowBinary', [batch.rowBinary]] as const,
      jsoneachrow: ['JSONEachRow', [batch.json]] as const,
    }[subject];
    const reply = await client.exec({
      query: `INSERT INTO ${table} FORMAT ${format}`,
      values: Readable.from(bytes, { objectMode: false }),
      clickhouse_settings: {
        ...{ async_insert: 0, optimize_on_insert: 0, wait_end_of_query: 1 },
        insert_deduplication_token: token,
      },
    });
    reply.stream.resume();
    await finished(reply.stream);
  }
}

let tokens = 0;

function objectsOf(json: Buffer): object[] {
  const lines = json.toString('utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as object);
}
