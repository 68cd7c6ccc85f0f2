/**
 * Streams that are known to be hard, through kernel, inserter and a real ClickHouse: what the views
 * show is what the stored readings say, whatever order they came in; what was refused is counted
 * and kept.
 */
import { expect } from 'chai';
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel } from '../../src/model/doors.ts';
import type { Plan, PlanWindow } from '../../src/model/plan.ts';
import { type Connection, createConnection } from '../../src/readmodel/connection.ts';
import { createReadModel } from '../../src/readmodel/index.ts';
import { chunkMessages } from '../../src/wire/chunk.ts';
import { GENERATION, runReference } from '../kernel/drive.ts';
import type { Stream } from '../kernel/generator.ts';
import type { TableRow } from '../kernel/law.ts';
import { always, cut, LOG, PARTITION } from '../kernel/log-writer.ts';
import { CHANNEL, SCENARIOS, TUMBLING, WINDOWS } from '../kernel/scenario.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../support/clickhouse.ts';
import { type StoredSample, type Truth, truthOf } from '../support/truth.ts';

const MEMORY_BYTES = 64 * 1024 * 1024;
const MESSAGES_PER_TURN = 100;
/** Relative error of sums, to the sum of absolute values. */
const SUM_ERROR = 1e-12;
/** Relative error of squares about the mean. */
const SQUARES_ERROR = 1e-11;
/** Relative error of a quantile, and what the last bit adds. */
const QUANTILE_ERROR = 1 / 128 + 1e-9;

/** A row of `v_agg_<window>`. */
interface Shown {
  readonly device: string;
  readonly metric: string;
  readonly startMs: string;
  readonly endMs: string;
  readonly count: string;
  readonly sum: number;
  readonly min: number;
  readonly max: number;
  readonly first: number;
  readonly firstMs: string;
  readonly last: number;
  readonly lastMs: string;
  readonly m2: number;
  readonly p50: number | null;
  readonly p95: number | null;
}

describe('views of hard streams', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let kernel: Kernel;
  let connection: Connection;

  before(async () => {
    clickHouse = await startClickHouse();
    kernel = await createKernel({ build: 'auto', workers: 0 });
    connection = createConnection({ url: clickHouse.url, ...clickHouse.admin });
  });
  after(async () => {
    await connection?.close();
    await kernel?.stop();
    await clickHouse?.stop();
  });

  /** All of a log into a database of its own. */
  async function fill(database: string, { messages }: Stream): Promise<void> {
    const { url, admin } = clickHouse;
    const model = createReadModel({ url, ...admin, database, log: LOG });
    await model.start();
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: MEMORY_BYTES },
    });
    for (const chunk of cut(messages, always(MESSAGES_PER_TURN))) {
      let turn = await partition.turn(chunk);
      for (;;) {
        await model.sink.insert(PARTITION, turn.blocks, turn.position);
        if (turn.status === 'done') break;
        if (turn.status === 'plan') {
          const { position } = turn;
          const found = [...chunkMessages(chunk)].find(({ sequence }) => sequence === position)!;
          const text = Buffer.from(found.payload).toString('utf8');
          await model.prepare(JSON.parse(text) as Plan);
          partition.usePlan(text);
        }
        turn = await partition.resume();
      }
    }
    await model.sink.flushed(PARTITION);
    partition.close();
    await model.stop();
  }

  const windowsOf = (database: string, { name, kind }: PlanWindow): Promise<Shown[]> =>
    connection.rows<Shown>(
      'SELECT device, metric, toUnixTimestamp64Milli(window_start) AS startMs, ' +
        'toUnixTimestamp64Milli(window_end) AS endMs, count, sum, min, max, first, last, m2, ' +
        'toUnixTimestamp64Milli(first_time) AS firstMs, ' +
        'toUnixTimestamp64Milli(last_time) AS lastMs, p50, p95 ' +
        `FROM ${database}.v_agg_${name} ` +
        `ORDER BY device, metric, ${kind === 'count' ? 'log_time, ' : ''}window_start`,
    );

  let databases = 0;
  for (const [title, make] of Object.entries(SCENARIOS)) {
    // What windows know that come and go with the plan is compared in test/kernel.
    if (title.startsWith('plans')) continue;
    describe(title, () => {
      let database: string;
      let stored: readonly StoredSample[];
      let tables: ReturnType<typeof runReference>['tables'];

      before(async () => {
        databases += 1;
        database = `stream_${databases}`;
        const stream = make();
        ({ tables } = runReference(stream));
        stored = tables.get(`ch_${CHANNEL}`)!.map(sampleOf);
        await fill(database, stream);
      });

      for (const window of WINDOWS.filter(({ kind }) => kind !== 'count')) {
        it(`show in ${window.name} what the stored readings say`, async () => {
          const truth = truthOf(stored, window);
          const shown = await windowsOf(database, window);
          expect(shown.map(nameOf)).to.have.members([...truth.keys()]);
          // More bins than a sketch has: the outer ones are merged.
          const isExact = !title.startsWith('more distinct');
          for (const each of shown) checkWindow(each, truth.get(nameOf(each))!);
          if (window.sketch && isExact) {
            for (const each of shown) checkQuantiles(each, truth.get(nameOf(each))!);
          }
        });
      }

      it('show every count window, in the order of the log', async () => {
        const window = WINDOWS.find(({ kind }) => kind === 'count')!;
        const spell = (startMs: number | string, count: number | string, max: number) =>
          `${startMs} ${count} ${max}`;
        const wanted = [...truthOf(stored, window).values()].map(({ startMs, values }) =>
          spell(startMs, values.length, Math.max(...values)),
        );
        const shown = await windowsOf(database, window);
        expect(shown.map(({ startMs, count, max }) => spell(startMs, count, max))).to.have.members(
          wanted,
        );
      });

      it('add finer windows up to coarser ones', async () => {
        const [minutes, ...coarser] = await Promise.all(
          TUMBLING.map((window) => windowsOf(database, window)),
        );
        for (const [place, shown] of coarser.entries()) {
          const { lengthMs } = TUMBLING[place + 1]!;
          for (const each of shown) checkParts(each, minutes!, lengthMs);
        }
      });

      it('count what was refused, and keep it', async () => {
        const [ledger] = await connection.rows<Record<string, string>>(
          'SELECT sum(records_in) AS records, sum(stored + partly + duplicate + dedup_unknown + ' +
            'too_late + rejected + filtered + skipped) AS ended ' +
            `FROM ${database}.v_ledger`,
        );
        expect(ledger!['records']).to.equal(ledger!['ended']);
        const kept = await connection.rows<{ reason: string; n: string; bytes: string }>(
          'SELECT reason, count() AS n, min(length(sample)) AS bytes ' +
            `FROM ${database}.v_dead_letters GROUP BY reason ORDER BY reason`,
        );
        const wanted = new Map<string, number>();
        for (const { reason } of tables.get('dead_letters') ?? []) {
          wanted.set(String(reason), (wanted.get(String(reason)) ?? 0) + 1);
        }
        expect(kept.map(({ reason, n }) => [reason, Number(n)])).to.have.deep.members([...wanted]);
        for (const { bytes } of kept) expect(Number(bytes)).to.be.above(0);
        if (title.includes('two days')) expect(wanted.get('TOO_OLD')).to.be.above(1400);
      });
    });
  }
});

function sampleOf(row: TableRow): StoredSample {
  const at = { device: String(row['device']), timeMs: Number(row['event_time']) };
  const presence = Number(row['presence']);
  return ['speed', 'load']
    .filter((_, ordinal) => (presence >> ordinal) & 1)
    .map((metric) => ({ ...at, metric, value: Number(row[metric]) }));
}

const nameOf = ({ device, metric, startMs }: Shown): string => `${device} ${metric} ${startMs}`;

function checkWindow(shown: Shown, truth: Truth): void {
  const where = nameOf(shown);
  const { values } = truth;
  const exactly = {
    ...{ endMs: truth.endMs, count: values.length },
    min: values.reduce((least, each) => Math.min(least, each)),
    max: values.reduce((greatest, each) => Math.max(greatest, each)),
    ...{ first: truth.first, firstMs: truth.firstMs, last: truth.last, lastMs: truth.lastMs },
  };
  for (const [column, wanted] of Object.entries(exactly)) {
    expect(Number(shown[column as keyof Shown]), `${column} of ${where}`).to.equal(wanted);
  }
  const scale = values.reduce((sum, each) => sum + Math.abs(each), 0);
  expectNear(shown.sum, truth.sum, { by: SUM_ERROR * scale, what: `sum of ${where}` });
  expectNear(shown.m2, truth.m2, { by: SQUARES_ERROR * truth.m2, what: `m2 of ${where}` });
}

function checkQuantiles(shown: Shown, { values }: Truth): void {
  const sorted = values.toSorted((left, right) => left - right);
  for (const [share, got] of [
    [0.5, shown.p50],
    [0.95, shown.p95],
  ] as const) {
    const wanted = sorted[Math.floor(share * (sorted.length - 1))]!;
    expect(got, `quantile of ${nameOf(shown)}`).to.not.equal(null);
    const by = QUANTILE_ERROR * Math.abs(wanted);
    expectNear(got!, wanted, { by, what: `quantile ${share} of ${nameOf(shown)}` });
  }
}

function checkParts(shown: Shown, minutes: readonly Shown[], lengthMs: number): void {
  const isPart = ({ device, metric, startMs }: Shown) =>
    device === shown.device &&
    metric === shown.metric &&
    Math.floor(Number(startMs) / lengthMs) * lengthMs === Number(shown.startMs);
  const parts = minutes.filter(isPart);
  const earliest = parts.reduce((best, each) => (each.firstMs < best.firstMs ? each : best));
  const latest = parts.reduce((best, each) => (each.lastMs >= best.lastMs ? each : best));
  const added = {
    count: parts.reduce((sum, { count }) => sum + Number(count), 0),
    min: parts.reduce((least, { min }) => Math.min(least, min), Number.POSITIVE_INFINITY),
    max: parts.reduce((greatest, { max }) => Math.max(greatest, max), Number.NEGATIVE_INFINITY),
    ...{ first: earliest.first, last: latest.last },
  };
  for (const [column, wanted] of Object.entries(added)) {
    expect(Number(shown[column as keyof Shown]), `${column} of ${nameOf(shown)}`).to.equal(wanted);
  }
  const sum = parts.reduce((total, each) => total + each.sum, 0);
  const scale = parts.reduce((total, each) => total + Math.abs(each.sum), 0);
  expectNear(shown.sum, sum, { by: SUM_ERROR * scale, what: `parts of ${nameOf(shown)}` });
}

function expectNear(got: number, wanted: number, near: { by: number; what: string }): void {
  expect(Math.abs(got - wanted), `${near.what}: ${got} for ${wanted}`).to.be.at.most(near.by);
}
