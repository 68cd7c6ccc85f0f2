import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { aggregateTable, channelTable } from '../../../src/model/table.ts';
import { createInserter, type Inserter } from '../../../src/readmodel/inserter.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { nativeBlock } from '../../support/native-writer.ts';
import {
  createFixture,
  HOUR_MS,
  IDENTITY,
  MINUTE_MS,
  NEVER_S,
  type ReadModelFixture,
  START_MS,
  TRUCK,
  truckRow,
  version,
} from './fixture.ts';
import { aggregateRow } from './window.ts';

const PARTITION = 1;
const TURNS = 40;
const SAMPLES = 20;
/** Turns that one minute gets readings in: so many revisions, each of more readings. */
const TURNS_PER_MINUTE = 4;
/** A worker dies: what it wrote last is written again, some of it by a later generation. */
const REPLAY_EVERY = 10;
const REPLAYED_TURNS = 7;
/** Merges of all parts, beside those that ClickHouse begins by itself. */
const OPTIMIZE_EVERY = 12;
const READERS = 3;

describe('views while rows are inserted, replayed and merged', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;
  let inserter: Inserter;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    const { connection, database } = model;
    inserter = createInserter({
      ...{ connection, database, log: 'main', clock: systemClock, flushMs: 1 },
    });
  });
  afterEach(async () => {
    await inserter.stop(1_000);
    await model.connection.close();
  });

  /** A turn: its samples, and the revision of the minute and the hour that it changes. */
  const insertTurn = (turn: number, generation: number) => {
    const blocks = [
      nativeBlock(channelTable(TRUCK), samplesOf(turn, generation)),
      nativeBlock(aggregateTable('1m'), [windowOf('1m', turn, generation)]),
      ...(isHourClosed(turn)
        ? [nativeBlock(aggregateTable('1h'), [windowOf('1h', turn, generation)])]
        : []),
    ];
    return inserter.insert(PARTITION, blocks, BigInt(turn));
  };

  async function write(): Promise<void> {
    for (let turn = 1; turn <= TURNS; turn += 1) {
      await insertTurn(turn, 1);
      await inserter.flushed(PARTITION);
      if (turn % REPLAY_EVERY === 0) {
        inserter.begin(PARTITION, BigInt(turn - REPLAYED_TURNS));
        for (let again = turn - REPLAYED_TURNS + 1; again <= turn; again += 1) {
          await insertTurn(again, again % 2 === 0 ? 2 : 1);
        }
      }
      if (turn % OPTIMIZE_EVERY === 0) {
        for (const table of ['ch_truck', 'agg_1m']) {
          await model.connection.command(`OPTIMIZE TABLE ${model.database}.${table} FINAL`);
        }
      }
    }
    await inserter.flushed(PARTITION);
  }

  it('show no row twice, no old beside a new one, no less than is said to be visible', async () => {
    const writing = new AbortController();
    const written = write().finally(() => writing.abort());
    const readers = Array.from({ length: READERS }, () => readUntil(writing.signal, model));
    const [looks] = await Promise.all([Promise.all(readers), written]);
    expect(Math.min(...looks), 'looks of a reader while rows came').to.be.above(5);
    expect(await lookAtSamples(model)).to.deep.equal({ visible: TURNS, seen: TURNS });
    await lookAtWindows(model);
  });
});

/** Looks until there is nothing more to come; every look is checked. */
async function readUntil(signal: AbortSignal, model: ReadModelFixture): Promise<number> {
  let looks = 0;
  let before = { visible: 0, seen: 0 };
  while (!signal.aborted) {
    const now = await lookAtSamples(model);
    expect(now.visible, 'visible goes back').to.be.at.least(before.visible);
    expect(now.seen, 'what was seen is seen no more').to.be.at.least(before.seen);
    before = now;
    await lookAtWindows(model);
    looks += 1;
  }
  return looks;
}

interface TurnSeen {
  readonly turn: string;
  readonly samples: string;
  readonly keys: string;
  readonly torn: string;
}

/** `visible` is asked first: what it says must be there when the views are asked. */
async function lookAtSamples(model: ReadModelFixture): Promise<{ visible: number; seen: number }> {
  const [said] = await model.rows<{ visible: string }>(
    'SELECT max(sequence) AS visible FROM {db}.visible',
  );
  const visible = Number(said!.visible);
  const turns = await model.rows<TurnSeen>(
    `SELECT sequence AS turn, count() AS samples, uniqExact(ordinal) AS keys,
       countIf(gear != 1 AND velocity = sequence OR gear = 1 AND velocity != sequence) AS torn
     FROM {db}.v_truck GROUP BY sequence ORDER BY sequence`,
  );
  for (const { turn, samples, keys, torn } of turns) {
    expect({ turn, samples, torn }).to.deep.equal({ turn, samples: keys, torn: '0' });
  }
  const whole = turns.filter(({ samples }) => Number(samples) === SAMPLES);
  const numbers = new Set(whole.map(({ turn }) => Number(turn)));
  const missing = Array.from({ length: visible }, (_, n) => n + 1).filter((n) => !numbers.has(n));
  expect(missing, `turns that ${visible} says are visible`).to.deep.equal([]);
  const [narrow] = await model.rows<{ n: string; keys: string }>(
    `SELECT count() AS n, uniqExact(sequence, ordinal, metric) AS keys FROM {db}.v_readings`,
  );
  expect(narrow!.n).to.equal(narrow!.keys);
  return { visible, seen: turns.length };
}

/** Every revision holds more readings than the one before, all of one value. */
async function lookAtWindows(model: ReadModelFixture): Promise<void> {
  for (const view of ['v_agg_1m', 'v_agg_1h']) {
    const rows = await model.rows<Record<string, string>>(
      `SELECT count() AS n, uniqExact(device, metric, window_start) AS windows,
         max(fragments) AS fragments, countIf(sum != count * max OR min != max) AS torn,
         countIf(count > ${view === 'v_agg_1m' ? TURNS_PER_MINUTE : TURNS}) AS more
       FROM {db}.${view} WHERE metric = 'velocity'`,
    );
    const [{ n, windows, fragments, torn, more }] = rows as [Record<string, string>];
    expect({ n, torn, more }, view).to.deep.equal({ n: windows, torn: '0', more: '0' });
    if (view === 'v_agg_1m') expect(Number(fragments)).to.be.at.most(1);
  }
}

/** Of generation 1 the velocity is the turn and the gear 1; of generation 2 both are others. */
function samplesOf(turn: number, generation: number) {
  return Array.from({ length: SAMPLES }, (_, ordinal) =>
    truckRow({
      ...{ partition: PARTITION, sequence: turn, ordinal, version: generation },
      event_time: START_MS + turn * 1_000 + ordinal,
      gear: generation,
      velocity: turn + (generation - 1) / 2,
    }),
  );
}

/** A reading per turn; the hour closes with the last turn but some, after that it has revisions. */
const isHourClosed = (turn: number): boolean => turn > TURNS / 2;

function windowOf(window: '1m' | '1h', turn: number, generation: number) {
  const minute = Math.floor((turn - 1) / TURNS_PER_MINUTE);
  const first = window === '1m' ? minute * TURNS_PER_MINUTE + 1 : 1;
  const lengthMs = window === '1m' ? MINUTE_MS : HOUR_MS;
  const startMs = window === '1m' ? START_MS + minute * MINUTE_MS : START_MS;
  const readings = Array.from({ length: turn - first + 1 }, (_, n) => ({
    ...{ metric: 'velocity', value: 20.5, timeMs: startMs + n, sequence: first + n },
  }));
  return aggregateRow(readings, {
    ...{ job: 'core', ...IDENTITY, expires_at: NEVER_S, partition: PARTITION },
    ...{ window_start: startMs, window_end: startMs + lengthMs, log_time: START_MS },
    version: version(generation, turn),
  });
}
