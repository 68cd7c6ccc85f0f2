/**
 * Every status has a row, in the order of precedence: a record that has exactly it, and one that
 * also has what comes next (the nearest lower precedence that the same record can have). All
 * builds of the kernel must agree. SINK_REFUSED is the host's: its row goes through refusal.ts.
 */
import { expect } from 'chai';
import {
  PAYLOAD_BYTES_MAX,
  SAMPLES_PER_RECORD_MAX,
  TEXT_BYTES_MAX,
} from '../../assembly/shared/abi.ts';
import type { Kernel } from '../../src/model/doors.ts';
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import { STATUS_NAMES, STATUSES } from '../../src/model/status.ts';
import { createRefusal } from '../../src/readmodel/refused/refusal.ts';
import { encodeRecordBatch } from '../../src/wire/record-batch.ts';
import { everyBuild } from './build.ts';
import { drive, GENERATION, lines, type Outcome } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry, type ReadingInput, type SampleInput } from './telemetry.ts';

const METRICS = [
  metricOf(0, 'value', { max: 100, maxRatePerSecond: 1 }),
  metricOf(1, 'same', { stuckMs: 60_000 }),
  metricOf(2, 'low'),
  metricOf(3, 'high'),
  metricOf(4, 'mode', { kind: 'text', values: ['on', 'off'] }),
  metricOf(5, 'note', { kind: 'text' }),
  metricOf(6, 'count', { kind: 'integer' }),
];
const RULES = [{ name: 'order', left: 2, operator: '<=' as const, right: 3 }];
const TIMES: Partial<PlanChannel> = { maxAgeMs: 2 * HOUR_MS, retentionMs: HOUR_MS, windows: [] };
const NEED = [metricOf(0, 'need', { required: true }), metricOf(1, 'other')];
const SENML = [
  metricOf(0, 'flow', { sentUnit: 'l/s' }),
  metricOf(1, 'level'),
  metricOf(2, 'word', { kind: 'text' }),
];
const CHANNELS = [
  channelOf(0, 'c', { ...TIMES, metrics: METRICS, rules: RULES }),
  channelOf(1, 'need', { ...TIMES, metrics: NEED, timeRequired: true }),
  channelOf(2, 'json', { ...TIMES, format: 'json' }),
  channelOf(3, 'confluent', { ...TIMES, format: 'json', framing: 'confluent', schemaIds: [7] }),
  channelOf(4, 'senml', { ...TIMES, format: 'senml-json', metrics: SENML }),
  channelOf(5, 'spark', { ...TIMES, format: 'sparkplug' }),
];
const NOW = START_MS + HOUR_MS * 1_000;

/** One record, and the records that were stored before it. */
interface Case {
  readonly record?: Partial<DeviceRecord>;
  readonly before?: readonly Partial<DeviceRecord>[];
  readonly plan?: Partial<Plan>;
  /** The record is on the skip list. */
  readonly skipped?: boolean;
  /** Instead of a batch with the record. */
  readonly body?: Uint8Array;
}
type Row = readonly [status: string, alone: Case, next: string, both: Case | null];

const AHEAD = NOW + 301_000;
const bytes = (text: string) => Buffer.from(text);
const identity = { tenant: 't1', site: 's1', device: 'd1' };
const BAD_IDENTITY = { identity: { ...identity, device: 'no id' } };
const STRICT = { devicesAllowed: ['t1/s1/other'] };
const sample = (readings: readonly ReadingInput[], timeMs: number | null = NOW): SampleInput =>
  timeMs === null ? { readings } : { timeMs, readings };
const samples = (...list: readonly SampleInput[]) => ({
  payload: encodeTelemetry({ samples: list }),
});
const read = (...readings: readonly ReadingInput[]) => samples(sample(readings));
const one = { metric: 1, number: 1 };
const good = read(one);
const keyed = { ...good, key: { eventId: 'k' } };
const malformed = sample([one], Date.UTC(2300, 0, 1));
const need = (...list: readonly SampleInput[]) => ({ channel: 'need', ...samples(...list) });
const json = (text: string) => ({ channel: 'json', payload: bytes(text) });
const deep = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
const confluent = (id: number, text: string) => ({
  channel: 'confluent',
  payload: Buffer.concat([Buffer.from([0, 0, 0, 0, id]), bytes(text)]),
});
const senml = (...pack: readonly object[]) => ({
  channel: 'senml',
  payload: bytes(JSON.stringify(pack.map((each) => ({ t: NOW / 1_000, ...each })))),
});
const manySamples = Array.from({ length: SAMPLES_PER_RECORD_MAX + 1 }, () => sample([one]));
/** Sparkplug: a metric by its name, a text where a number is declared. */
const WORD = Buffer.from('120c0a0576616c7565200c7a0178', 'hex');
/** And one by its alias 9 alone, a double. */
const ALIAS = Buffer.from('120d1009200a69000000000000f03f1800', 'hex');

const text = (metric: number, value: string): ReadingInput => ({ metric, text: value });
const UNKNOWN = { metric: 99, number: 1 };
const MISMATCH = { metric: 7, text: 'x' };
const LONG = text(6, 'x'.repeat(TEXT_BYTES_MAX + 1));
const NAN = { metric: 3, number: Number.NaN };
const UNLISTED = text(5, 'maybe');
const BEYOND = { metric: 1, number: 101 };
const FAST = { metric: 1, number: 3 };
const STUCK = { metric: 2, number: 7 };
const CROSSED = [
  { metric: 3, number: 2 },
  { metric: 4, number: 1 },
];
const SECOND_AGO = [samples(sample([one], NOW - 1_000))];
const MINUTES_AGO = [samples(sample([STUCK], NOW - 61_000)), ...SECOND_AGO];
/** Remembers one id: that of the newer record, so that 60 s before now is the floor. */
const FLOOR: Pick<Case, 'before' | 'plan'> = {
  plan: { idsPerDevice: 1 },
  before: [
    { ...samples(sample([one], NOW - 60_000)), key: { eventId: 'a' } },
    { ...samples(sample([one], NOW - 1_000)), key: { eventId: 'b' } },
  ],
};
const OLD = sample([one], NOW - 60_000);

const ROWS: readonly Row[] = [
  [
    'EMPTY',
    { record: { payload: bytes('') } },
    'IDENTITY_INVALID',
    { record: { payload: bytes(''), ...BAD_IDENTITY } },
  ],
  [
    'BATCH_MALFORMED',
    { body: bytes('no batch') },
    'IDENTITY_INVALID',
    { body: Buffer.concat([encodeRecordBatch([recordFor(BAD_IDENTITY)]), bytes('\x0a')]) },
  ],
  [
    'IDENTITY_INVALID',
    { record: BAD_IDENTITY },
    'SKIPPED',
    { record: BAD_IDENTITY, skipped: true },
  ],
  ['SKIPPED', { skipped: true }, 'DEVICE_UNKNOWN', { skipped: true, plan: STRICT }],
  [
    'DEVICE_UNKNOWN',
    { plan: STRICT },
    'CHANNEL_UNKNOWN',
    { plan: STRICT, record: { channel: 'x' } },
  ],
  [
    'CHANNEL_UNKNOWN',
    { record: { channel: 'x' } },
    'PAYLOAD_MALFORMED',
    { record: { channel: 'x', payload: bytes('\x07') } },
  ],
  [
    'SCHEMA_UNKNOWN',
    { record: confluent(8, '{"value":1}') },
    'PAYLOAD_MALFORMED',
    { record: confluent(8, '{') },
  ],
  [
    'PAYLOAD_MALFORMED',
    { record: json('{"value":1') },
    'PAYLOAD_TOO_DEEP',
    { record: json(`{"value":1,"x":${deep(40)}`) },
  ],
  [
    'PAYLOAD_TOO_DEEP',
    { record: json(`{"value":1,"x":${deep(40)}}`) },
    'EVENT_ID_INVALID',
    { record: json(`{"value":1,"x":${deep(40)},"id":true}`) },
  ],
  [
    'LIMIT_EXCEEDED',
    { record: { payload: Buffer.alloc(PAYLOAD_BYTES_MAX + 1) } },
    'EVENT_ID_INVALID',
    { record: { payload: encodeTelemetry({ eventId: 'x'.repeat(65), samples: manySamples }) } },
  ],
  [
    'EVENT_ID_INVALID',
    { record: { payload: encodeTelemetry({ eventId: 'x'.repeat(65), samples: [sample([one])] }) } },
    'NO_READINGS',
    { record: { payload: encodeTelemetry({ eventId: 'x'.repeat(65), samples: [] }) } },
  ],
  [
    'NO_READINGS',
    { record: samples(sample([])) },
    'DUPLICATE',
    { record: { ...samples(sample([])), key: { eventId: 'k' } }, before: [keyed] },
  ],
  [
    'DUPLICATE',
    { record: keyed, before: [keyed] },
    'TIME_MALFORMED',
    { record: { ...samples(malformed), key: { eventId: 'k' } }, before: [keyed] },
  ],
  [
    'DEDUP_UNKNOWN',
    { ...FLOOR, record: { ...samples(OLD), key: { eventId: 'c' } } },
    'TIME_MALFORMED',
    { ...FLOOR, record: { ...samples(malformed, OLD), key: { eventId: 'c' } } },
  ],
  [
    'TIME_MALFORMED',
    { record: samples(malformed) },
    'TIME_MISSING',
    { record: need(sample([one], null), malformed) },
  ],
  [
    'TIME_MISSING',
    { record: need(sample([one], null)) },
    'CLOCK_AHEAD',
    { record: need(sample([one], AHEAD), sample([one], null)) },
  ],
  [
    'CLOCK_AHEAD',
    { record: samples(sample([one], AHEAD)) },
    'TOO_OLD',
    { record: samples(sample([one], NOW - 3 * HOUR_MS), sample([one], AHEAD)) },
  ],
  [
    'TOO_OLD',
    { record: samples(sample([one], NOW - 3 * HOUR_MS)) },
    'TOO_LATE',
    { record: samples(sample([one], NOW - HOUR_MS), sample([one], NOW - 3 * HOUR_MS)) },
  ],
  [
    'TOO_LATE',
    { record: samples(sample([one], NOW - HOUR_MS)) },
    'REQUIRED_MISSING',
    { record: need(sample([{ metric: 2, number: 1 }], NOW - HOUR_MS)) },
  ],
  [
    'REQUIRED_MISSING',
    { record: need(sample([{ metric: 2, number: 1 }])) },
    'METRIC_UNKNOWN',
    { record: need(sample([UNKNOWN, { metric: 2, number: 1 }])) },
  ],
  [
    'METRIC_UNKNOWN',
    { record: read(one, UNKNOWN) },
    'TYPE_MISMATCH',
    { record: read(MISMATCH, one, UNKNOWN) },
  ],
  [
    'ALIAS_UNKNOWN',
    { record: { channel: 'spark', payload: ALIAS } },
    'TYPE_MISMATCH',
    { record: { channel: 'spark', payload: Buffer.concat([WORD, ALIAS]) } },
  ],
  [
    'TYPE_MISMATCH',
    { record: read(one, MISMATCH) },
    'UNIT_MISMATCH',
    { record: senml({ n: 'flow', u: 'm', v: 1 }, { n: 'level', vs: 'x' }) },
  ],
  [
    'UNIT_MISMATCH',
    { record: senml({ n: 'flow', u: 'm', v: 1 }) },
    'TEXT_LIMIT',
    { record: senml({ n: 'word', vs: LONG.text }, { n: 'flow', u: 'm', v: 1 }) },
  ],
  ['TEXT_LIMIT', { record: read(one, LONG) }, 'NOT_FINITE', { record: read(NAN, one, LONG) }],
  ['NOT_FINITE', { record: read(one, NAN) }, 'NOT_LISTED', { record: read(UNLISTED, one, NAN) }],
  [
    'NOT_LISTED',
    { record: read(one, UNLISTED) },
    'OUT_OF_RANGE',
    { record: read(BEYOND, UNLISTED) },
  ],
  [
    'OUT_OF_RANGE',
    { record: read(BEYOND) },
    'RATE_EXCEEDED',
    { record: read(BEYOND), before: SECOND_AGO },
  ],
  [
    'RATE_EXCEEDED',
    { record: read(FAST), before: SECOND_AGO },
    'VALUE_STUCK',
    { record: read(STUCK, FAST), before: MINUTES_AGO },
  ],
  [
    'VALUE_STUCK',
    { record: read(STUCK), before: MINUTES_AGO },
    'RULE_BROKEN',
    { record: read(...CROSSED, STUCK), before: MINUTES_AGO },
  ],
  ['RULE_BROKEN', { record: read(...CROSSED) }, 'SINK_REFUSED', null],
];

function recordFor(given: Partial<DeviceRecord>): DeviceRecord {
  return { ...recordOf({ payload: good.payload, receivedAtMs: NOW }), ...given };
}

function logOf({ record = {}, before = [], plan = {}, body }: Case): LogWriter {
  const log = new LogWriter();
  log.plan(planOf(CHANNELS, plan));
  log.at(NOW);
  for (const each of before) log.batch([recordFor(each)]);
  if (body === undefined) log.batch([recordFor(record)]);
  else log.append('batch', body);
  log.tick();
  return log;
}

describe('the status of a record', function () {
  this.timeout(60_000);
  const kernels = everyBuild();

  async function run(kernel: Kernel, given: Case): Promise<Outcome> {
    const { messages } = logOf(given);
    const partition = kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 32 << 20 },
    });
    const { sequence } = messages.at(-2)!;
    if (given.skipped) partition.setSkips([{ partition: PARTITION, sequence, index: 0 }]);
    return drive(partition, all(messages));
  }

  /** What the ledger says became of the records that were not stored whole. */
  async function check(given: Case, wanted: string): Promise<void> {
    const outcomes = [];
    for (const kernel of kernels.values()) outcomes.push(await run(kernel, given));
    const { reason, records } = outcomes[0]!.tables.get('ledger')!.at(-1)!;
    const names = (reason as string[]).filter((_, index) => (records as bigint[])[index]! > 0n);
    expect(names).to.deep.equal([wanted]);
    const letters = outcomes[0]!.deadLetters.map((letter) => letter.reason);
    expect(letters).to.deep.equal(wanted === 'DUPLICATE' ? [] : [wanted]);
    for (const outcome of outcomes) {
      expect(lines(outcome)).to.deep.equal(lines(outcomes[0]!));
      expect(outcome.stateHash).to.equal(outcomes[0]!.stateHash);
    }
  }

  it('has a row for every status, in the order of precedence', () => {
    const told = [...ROWS.map(([status]) => status), 'SINK_REFUSED'];
    expect(told).to.deep.equal(STATUS_NAMES.slice(1));
    expect(Object.keys(STATUSES)).to.deep.equal(STATUS_NAMES.slice(1));
    for (const [status, , next] of ROWS) {
      expect(STATUS_NAMES.indexOf(next)).to.be.greaterThan(STATUS_NAMES.indexOf(status));
    }
  });

  for (const [status, alone, next, both] of ROWS) {
    it(`${status} alone`, () => check(alone, status));
    if (both !== null) it(`${status} before ${next}`, () => check(both, status));
  }

  it('SINK_REFUSED is that of a row which ClickHouse refuses', () => {
    const row = { ...identity, sequence: 7n, ordinal: 0, version: 2, log_time: BigInt(NOW) };
    const refused = { table: 'ch_c', partition: 3, row, bytes: 9, code: 469, message: 'no' };
    const { letter } = createRefusal(refused);
    expect(letter).to.include({ reason: 'SINK_REFUSED', channel: 'c', sequence: 7n });
  });
});
