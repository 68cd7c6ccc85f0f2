/**
 * The oracle is checked by hand-computed examples: what becomes of one record, of its samples and
 * readings, by format; precedence; dead letters and their cap; the ledger and its blocks; shadows.
 */
import { expect } from 'chai';
import type { ShadowFact } from '../../src/model/fact.ts';
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import { all, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, MINUTE_MS, metricOf, planOf } from './plan-sample.ts';
import { ReferenceKernel, type ReferenceTurn } from './reference/kernel.ts';
import { encodeTelemetry, type ReadingInput, type SampleInput } from './telemetry.ts';

const NOW_MS = START_MS + 1000;

function run(tell: (log: LogWriter) => void, skips: readonly bigint[] = []): ReferenceTurn {
  const log = new LogWriter().at(NOW_MS);
  tell(log);
  const kernel = new ReferenceKernel({ log: 'test', partition: PARTITION, generation: 1 });
  kernel.setSkips(skips.map((sequence) => ({ partition: PARTITION, sequence, index: 0 })));
  return kernel.turn(all(log.messages)[0]!);
}

const METRICS = [
  metricOf(0, 'n', { min: 0, max: 100 }),
  metricOf(1, 'i', { kind: 'integer' }),
  metricOf(2, 'b', { kind: 'boolean' }),
  metricOf(3, 'f', { scale: 0.5, offset: -1 }),
  metricOf(4, 'is', { kind: 'integer', scale: 0.5 }),
  metricOf(5, 'gone', { retired: true }),
];
const channels = (given: Partial<PlanChannel> = {}) => [
  channelOf(0, 'c', { metrics: METRICS, ...given }),
  channelOf(1, 'j', { metrics: METRICS, format: 'json', ...given }),
  channelOf(2, 'old', { retired: true }),
];
const record = (payload: Uint8Array, channel = 'c'): DeviceRecord =>
  recordOf({ payload, channel, receivedAtMs: NOW_MS });

/** Outcome of one record: its stored values, or the reason at its offset and metric. */
function outcome(records: readonly DeviceRecord[], given: Partial<PlanChannel> = {}): string {
  const turn = run((log) => {
    log.plan(planOf(channels(given)));
    log.batch(records);
  });
  const rows = [...(turn.rows.get('ch_c') ?? []), ...(turn.rows.get('ch_j') ?? [])];
  const stored = rows.map((row) => {
    const present = METRICS.filter(
      ({ ordinal }) => (((row['presence'] as bigint) >> BigInt(ordinal)) & 1n) === 1n,
    );
    const values = present.map(({ name }) => {
      const value = row[name];
      return `${name}=${Object.is(value, -0) ? '-0' : value}`;
    });
    return [...values, ...(row['flags'] === 0 ? [] : [`flags ${row['flags']}`])].join(' ');
  });
  const letters = turn.deadLetters.map(({ reason, metric, offset }) =>
    [reason, metric, `@${offset}`].filter(Boolean).join(' '),
  );
  return [...stored, ...letters].join('; ');
}

const proto = (...readings: ReadingInput[]): Uint8Array =>
  encodeTelemetry({ samples: [{ timeMs: NOW_MS, readings }] });
const timed = (...samples: SampleInput[]): Uint8Array => encodeTelemetry({ samples });
const ok: ReadingInput = { metric: 1, number: 5 };

describe('reference kernel: protobuf payloads', () => {
  const rows: readonly [string, Uint8Array, string, Partial<PlanChannel>?][] = [
    ['by ordinal and by name', proto(ok, { name: 'i', integer: -7n }), 'n=5 i=-7'],
    ['a number metric takes integers', proto({ metric: 1, integer: 7n }), 'n=7'],
    ['−0 stays −0 at scale 1, and not at another', proto({ metric: 1, number: -0 }), 'n=-0'],
    ['scale, then offset', proto({ metric: 4, number: 4 }), 'f=1'],
    ['both ends of a range', proto({ metric: 1, number: 100 }), 'n=100'],
    ['above the range', proto({ metric: 1, number: 100.1 }), 'OUT_OF_RANGE n @11'],
    [
      'the first trouble is placed at its tag',
      proto(ok, { metric: 3 }),
      'n=5 flags 4; TYPE_MISMATCH b @24',
    ],
    ['64-bit integers', proto({ metric: 2, integer: 2n ** 63n - 1n }), 'i=9223372036854775807'],
    ['an integer metric takes no number', proto({ metric: 2, number: 1 }), 'TYPE_MISMATCH i @11'],
    ['a scaled integer that comes out whole', proto({ metric: 5, integer: 6n }), 'is=3'],
    ['a scaled integer that does not', proto({ metric: 5, integer: 7n }), 'TYPE_MISMATCH is @11'],
    ['booleans only for booleans', proto({ metric: 3, boolean: true }), 'b=true'],
    ['no booleans for numbers', proto({ metric: 1, boolean: true }), 'TYPE_MISMATCH n @11'],
    ['NaN', proto({ metric: 1, number: Number.NaN }), 'NOT_FINITE n @11'],
    ['a canonical that overflows', proto({ metric: 4, number: Infinity }), 'NOT_FINITE f @11'],
    [
      'unknown metrics beside a known one',
      proto(ok, { metric: 99, number: 1 }),
      'n=5 flags 4; METRIC_UNKNOWN @24',
    ],
    [
      'ignored unknown metrics',
      proto(ok, { metric: 99, number: 1 }),
      'n=5',
      { unknownMetrics: 'ignore' },
    ],
    ['only unknown metrics', proto({ metric: 6, number: 1 }), 'NO_READINGS @0'],
    ['no sample', encodeTelemetry({ samples: [], eventId: 'a' }), 'NO_READINGS @0'],
    ['a wrong wire type', Uint8Array.of(8, 1), 'PAYLOAD_MALFORMED @0'],
    ['a group', Uint8Array.of(0x7b, 0x7c), 'PAYLOAD_MALFORMED @0'],
    ['a length beyond the end', Uint8Array.of(10, 3, 1), 'PAYLOAD_MALFORMED @0'],
    ['an unknown field is skipped', Buffer.concat([proto(ok), Uint8Array.of(0x78, 1)]), 'n=5'],
    ['no time', timed({ readings: [ok] }), 'n=5 flags 2'],
    [
      'no time though required',
      timed({ readings: [ok] }),
      'TIME_MISSING @0',
      { timeRequired: true },
    ],
    ['a time no table holds', timed({ timeMs: -(2n ** 62n), readings: [ok] }), 'TIME_MALFORMED @0'],
    ['a clock at its bound', timed({ timeMs: NOW_MS + 5 * MINUTE_MS, readings: [ok] }), 'n=5'],
    [
      'a clock ahead',
      timed({ timeMs: NOW_MS + 5 * MINUTE_MS + 1, readings: [ok] }),
      'CLOCK_AHEAD @0',
    ],
    [
      'a clock ahead, accepted',
      timed({ timeMs: NOW_MS + 5 * MINUTE_MS + 1, readings: [ok] }),
      'n=5 flags 8',
      { clockPolicy: 'accept' },
    ],
    ['at maxAge', timed({ timeMs: NOW_MS - 24 * HOUR_MS, readings: [ok] }), 'n=5'],
    ['older', timed({ timeMs: NOW_MS - 24 * HOUR_MS - 1, readings: [ok] }), 'TOO_OLD @0'],
    [
      'older, accepted',
      timed({ timeMs: NOW_MS - 24 * HOUR_MS - 1, readings: [ok] }),
      'n=5 flags 8',
      { agePolicy: 'accept' },
    ],
    [
      'already expired',
      timed({ timeMs: NOW_MS - HOUR_MS, readings: [ok] }),
      'TOO_LATE @0',
      { retentionMs: HOUR_MS },
    ],
    [
      'not yet expired',
      timed({ timeMs: NOW_MS - HOUR_MS + 1, readings: [ok] }),
      'n=5',
      { retentionMs: HOUR_MS },
    ],
    [
      'the lowest status of several places, at the first that has it',
      timed(
        { timeMs: NOW_MS, readings: [{ metric: 1, number: -1 }] },
        { timeMs: 1, readings: [ok] },
        { timeMs: 2, readings: [ok] },
      ),
      'TOO_OLD @24',
    ],
    [
      'a required metric that is missing',
      proto({ metric: 1, number: 5 }),
      'REQUIRED_MISSING x @0',
      { metrics: [...METRICS, metricOf(6, 'x', { required: true })] },
    ],
    [
      'a required metric that is refused is not missing',
      proto(ok, { metric: 7, boolean: true }),
      'n=5 flags 4; TYPE_MISMATCH x @24',
      { metrics: [...METRICS, metricOf(6, 'x', { required: true })] },
    ],
  ];
  for (const [title, payload, expected, given] of rows) {
    it(title, () => expect(outcome([record(payload)], given)).to.equal(expected));
  }

  it('refuses one sample or reading more than the limit', () => {
    const samples = (count: number) =>
      timed(...Array.from({ length: count }, () => ({ readings: [] })), { readings: [ok] });
    expect(outcome([record(samples(4095))])).to.equal('n=5 flags 2');
    expect(outcome([record(samples(4096))])).to.equal('LIMIT_EXCEEDED @0');
  });
});

describe('reference kernel: JSON payloads', () => {
  const rows: readonly [string, string, string, Partial<PlanChannel>?][] = [
    ['numbers', '{"n":1.5,"f":4}', 'n=1.5 f=1 flags 2'],
    ['integers as digits', '{"i":9007199254740993}', 'i=9007199254740993 flags 2'],
    ['integers without fraction', '{"i":1.2e1}', 'i=12 flags 2'],
    ['integers with one', '{"i":1.5}', 'TYPE_MISMATCH i @5'],
    ['integers of 65 bits', '{"i":9223372036854775808}', 'TYPE_MISMATCH i @5'],
    ['beyond the doubles', '{"n":1e999}', 'NOT_FINITE n @5'],
    ['text for a number', '{"n":"5"}', 'TYPE_MISMATCH n @5'],
    ['null is absent', '{"n":null,"b":false}', 'b=false flags 2'],
    ['undeclared members', '{"z":{"n":1},"n":1}', 'n=1 flags 2'],
    ['a root that is no object', '[1]', 'NO_READINGS @0'],
    ['text after the end', '{"n":1} x', 'PAYLOAD_MALFORMED @8'],
    ['a leading zero', '{"n":01}', 'PAYLOAD_MALFORMED @6'],
    ['a byte order mark', '\ufeff{"n":1}', 'PAYLOAD_MALFORMED @0'],
    ['a declared member twice', '{"n":1,"\\u006e":2}', 'PAYLOAD_MALFORMED @7'],
    ['an undeclared member twice', '{"z":1,"z":2,"n":1}', 'n=1 flags 2'],
    ['32 levels', `{"n":1,"z":${'['.repeat(31)}${']'.repeat(31)}}`, 'n=1 flags 2'],
    ['33 levels', `{"n":1,"z":${'['.repeat(32)}${']'.repeat(32)}}`, 'PAYLOAD_TOO_DEEP @42'],
    ['an empty event id', '{"n":1,"id":""}', 'EVENT_ID_INVALID @0'],
    ['an event id of digits', '{"n":1,"id":-5}', 'n=1 flags 2'],
    ['an event id that is no text', '{"n":1,"id":5.0}', 'EVENT_ID_INVALID @0'],
    ['64 bytes of event id', `{"n":1,"id":"${'ä'.repeat(32)}"}`, 'n=1 flags 2'],
    ['65 bytes of event id', `{"n":1,"id":"${'ä'.repeat(32)}x"}`, 'EVENT_ID_INVALID @0'],
    ['a time in ms', `{"time":${NOW_MS},"n":1}`, 'n=1'],
    ['a time of digits as text', `{"time":"${NOW_MS}","n":1}`, 'n=1'],
    ['a time that is other text', `{"time":"${NOW_MS}.0","n":1}`, 'TIME_MALFORMED @8'],
    ['a time with exponent', `{"time":${NOW_MS}0e-1,"n":1}`, 'n=1'],
    ['a time of another year', '{"time":1,"n":1}', 'TOO_OLD @8'],
  ];
  for (const [title, payload, expected, given] of rows) {
    const name = `${title}: ${payload.length > 60 ? `${payload.slice(0, 60)}…` : payload}`;
    it(name, () => {
      expect(outcome([record(Buffer.from(payload), 'j')], given)).to.equal(expected);
    });
  }

  const times: readonly [PlanChannel['timeFormat'], string, number | null][] = [
    ['s', '1767225600', START_MS],
    ['s', '1767225600.1239', START_MS + 123],
    ['s', '-0.0001', -1],
    ['us', '1767225600000999', START_MS],
    ['us', '-1', -1],
    ['ns', '1767225600000999999', START_MS],
    ['ns', '1767225600000999999.9', START_MS],
    ['ms', '10413791999999', Date.UTC(2300, 0, 1) - 1],
    ['ms', '10413792000000', null],
    ['iso8601', '"2026-01-01T00:00:00Z"', START_MS],
    ['iso8601', '"2026-01-01 02:30:00.0019999+02:30"', START_MS + 1],
    ['iso8601', '"2025-12-31t23:00:00-01:00"', START_MS],
    ['iso8601', '"2024-02-29T00:00:00z"', Date.UTC(2024, 1, 29)],
    ['iso8601', '"2023-02-29T00:00:00Z"', null],
    ['iso8601', '"2026-01-01T00:00:60Z"', null],
    ['iso8601', '"2026-01-01T24:00:00Z"', null],
    ['iso8601', '"2026-01-01T00:00:00"', null],
    ['iso8601', '"2026-01-01T00:00:00.Z"', null],
    ['iso8601', '"1900-01-01T00:00:00Z"', Date.UTC(1900, 0, 1)],
    ['iso8601', '"1900-01-01T00:00:00+00:01"', null],
    ['iso8601', '1767225600', null],
  ];
  for (const [timeFormat, text, expected] of times) {
    it(`time ${timeFormat} ${text}`, () => {
      const given = { timeFormat, maxAgeMs: 1e14, maxClockSkewMs: 1e14 };
      const turn = run((log) => {
        log.plan(planOf(channels(given)));
        log.batch([record(Buffer.from(`{"n":1,"time":${text}}`), 'j')]);
      });
      const row = turn.rows.get('ch_j')?.[0];
      expect(row?.['event_time'] ?? null).to.equal(expected);
      if (expected === null) expect(turn.deadLetters[0]!.reason).to.equal('TIME_MALFORMED');
    });
  }
});

describe('reference kernel: frames and precedence', () => {
  const fine = proto(ok);
  const one = (given: Partial<DeviceRecord> & { device?: string }) => {
    const { device = 'd1', ...rest } = given;
    const identity = { tenant: 't1', site: 's1', device };
    return { ...record(fine), identity, ...rest };
  };
  const rows: readonly [string, DeviceRecord, Partial<Plan>, string][] = [
    [
      'an empty payload before a bad identity',
      one({ device: 'ä', payload: Buffer.alloc(0) }),
      {},
      'EMPTY',
    ],
    ['a bad identity', one({ device: 'a b' }), {}, 'IDENTITY_INVALID'],
    ['65 characters of id', one({ device: 'x'.repeat(65) }), {}, 'IDENTITY_INVALID'],
    [
      'an unknown device before an unknown channel',
      one({ channel: 'x' }),
      { devicesAllowed: [] },
      'DEVICE_UNKNOWN',
    ],
    [
      'an unknown channel before a bad payload',
      one({ channel: 'x', payload: Buffer.alloc(1) }),
      {},
      'CHANNEL_UNKNOWN',
    ],
    ['a retired channel', one({ channel: 'old' }), {}, 'CHANNEL_UNKNOWN'],
    [
      'an unknown channel before a full partition',
      one({ channel: 'x' }),
      { devicesMax: 0 },
      'CHANNEL_UNKNOWN',
    ],
    ['a full partition', one({ payload: Buffer.alloc(1) }), { devicesMax: 0 }, 'LIMIT_EXCEEDED'],
    ['a long payload', one({ payload: Buffer.alloc(61441) }), {}, 'LIMIT_EXCEEDED'],
    [
      'a bad payload before a bad key',
      one({ payload: Buffer.alloc(1), key: { eventId: '' } }),
      {},
      'PAYLOAD_MALFORMED',
    ],
    [
      'a bad key before no readings',
      one({ payload: timed({ readings: [] }), key: { bootId: 1n, sequence: 0n } }),
      {},
      'EVENT_ID_INVALID',
    ],
    ['a bad key', one({ key: { bootId: 1n, sequence: 0n } }), {}, 'EVENT_ID_INVALID'],
    ['65 bytes of key', one({ key: { eventId: 'x'.repeat(65) } }), {}, 'EVENT_ID_INVALID'],
  ];
  for (const [title, given, plan, reason] of rows) {
    it(`${title}: ${reason}`, () => {
      const turn = run((log) => {
        log.plan(planOf(channels(), plan));
        log.batch([given]);
      });
      expect(turn.deadLetters.map((letter) => letter.reason)).to.deep.equal([reason]);
    });
  }

  it('skips what is on the skip list without touching its device', () => {
    const turn = run(
      (log) => {
        log.plan(planOf(channels()));
        log.batch([record(fine), record(fine)]);
        log.tick();
      },
      [2n],
    );
    expect(turn.deadLetters.map(({ reason, index }) => [reason, index])).to.deep.equal([
      ['SKIPPED', 0],
    ]);
    expect(turn.rows.get('devices')![0]).to.include({ records: 1n });
  });

  const messages: readonly [string, (log: LogWriter) => void][] = [
    ['bytes that are no batch', (log) => log.append('batch', Uint8Array.of(10, 9, 1))],
    ['an empty batch', (log) => log.append('batch', new Uint8Array(0))],
    ['an empty id in the second record', (log) => log.batch([one({}), one({ device: '' })])],
    ['another subject', (log) => log.append('iot.t1.s1.d1.c', fine)],
    ['a longer subject', (log) => log.append('batch.x', fine)],
  ];
  for (const [title, tell] of messages) {
    it(`counts ${title} as one BATCH_MALFORMED record`, () => {
      const turn = run((log) => {
        log.plan(planOf(channels()));
        tell(log);
        log.tick();
      });
      expect(turn.deadLetters).to.have.length(1);
      expect(turn.deadLetters[0]).to.include({
        reason: 'BATCH_MALFORMED',
        identity: null,
        index: 0,
      });
      expect(turn.rows.get('ledger')![0]).to.include({ records_in: 1n, rejected: 1n });
    });
  }

  const headers: readonly [string, string | undefined, string][] = [
    ['no headers', undefined, 'stored'],
    ['an event id', 'Millrace-Event-Id:  a ', 'stored'],
    ['an empty event id', 'Millrace-Event-Id: ', 'EVENT_ID_INVALID'],
    ['a boot without sequence', 'Millrace-Boot-Id: 7', 'EVENT_ID_INVALID'],
    [
      'boot and sequence',
      'Millrace-Boot-Id: 7\r\nMillrace-Sequence: 18446744073709551615',
      'stored',
    ],
    [
      'a sequence of 65 bits',
      'Millrace-Boot-Id: 7\r\nMillrace-Sequence: 18446744073709551616',
      'EVENT_ID_INVALID',
    ],
    ['another name', 'millrace-event-id: ', 'stored'],
  ];
  for (const [title, header, expected] of headers) {
    it(`native publish with ${title}: ${expected}`, () => {
      const turn = run((log) => {
        log.plan(planOf(channels()));
        log.native({ identity: one({}).identity, channel: 'c' }, fine, header);
      });
      const reasons = turn.deadLetters.map(({ reason }) => reason);
      expect(reasons[0] ?? 'stored').to.equal(expected);
      expect(turn.rows.get('ch_c')?.length ?? 0).to.equal(expected === 'stored' ? 1 : 0);
    });
  }
});

describe('reference kernel: dead letters, ledger, shadow', () => {
  const bad = record(Uint8Array.of(1));

  it('sends at most the cap per device and log minute, and counts all', () => {
    const turn = run((log) => {
      log.plan(planOf(channels(), { deadLettersPerDeviceMinute: 2 }));
      log.at(START_MS + 59_000).batch([bad, bad, bad]);
      log.at(START_MS + 60_000).batch([bad]);
      log.tick();
    });
    expect(turn.deadLetters.map(({ sequence }) => sequence)).to.deep.equal([2n, 2n, 3n]);
    expect(turn.rows.get('ledger')![0]).to.deep.include({
      ...{ records_in: 4n, rejected: 4n, reason: ['PAYLOAD_MALFORMED'] },
      ...{ records: [4n], readings: [0n] },
    });
  });

  it('keeps 256 bytes of what was refused', () => {
    const payload = Buffer.alloc(300, 1);
    const turn = run((log) => {
      log.plan(planOf(channels()));
      log.batch([record(payload)]);
    });
    expect(turn.deadLetters[0]).to.deep.include({
      payloadBytes: 300,
      sample: payload.subarray(0, 256),
    });
  });

  it('accounts every reading: decoded = stored + rejected by reason', () => {
    const turn = run((log) => {
      log.plan(planOf(channels()));
      const fine = { metric: 4, number: 4 };
      const mixed = [fine, { metric: 1, number: 200 }, { metric: 2, number: 1 }];
      log.batch([record(proto(...mixed)), record(timed({ timeMs: 1, readings: [ok, fine] }))]);
      log.tick();
    });
    expect(turn.rows.get('ledger')![0]).to.deep.include({
      ...{ messages: 3n, records_in: 2n, stored: 0n, partly: 1n, rejected: 1n },
      ...{ readings_decoded: 5n, readings_stored: 1n, samples_stored: 1n },
      reason: ['TOO_OLD', 'TYPE_MISMATCH', 'OUT_OF_RANGE'],
      ...{ records: [1n, 1n, 0n], readings: [2n, 1n, 1n] },
    });
  });

  it('closes a block of 65,536 sequences with a row of its own, and counts gaps', () => {
    const turn = run((log) => {
      log.plan(planOf(channels()));
      log.skip(65_534n);
      log.tick();
      log.batch([record(proto(ok))]);
    });
    const rows = turn.rows.get('ledger')!;
    expect(rows).to.have.length(2);
    expect(rows[0]).to.include({ block: 0n, messages: 1n, gap_messages: 0n });
    expect(rows[1]).to.include({ block: 1n, messages: 1n, gap_messages: 65_534n });
    expect(rows.map((row) => (row['version'] as bigint) & 0xffffffffn)).to.deep.equal([0n, 1n]);
    expect(turn.needsTicks).to.equal(true);
  });

  it('publishes a shadow once per interval, with the latest value by event time', () => {
    const turn = run((log) => {
      log.plan(planOf(channels(), { shadowIntervalMs: 10_000 }));
      const at = (timeMs: number, number: number) =>
        record(timed({ timeMs, readings: [{ metric: 1, number }] }));
      log.batch([at(NOW_MS, 1), at(NOW_MS - 5, 2)]);
      log.tick();
      log.batch([at(NOW_MS, 3)]);
      log.at(NOW_MS + 9_999).tick();
      log.at(NOW_MS + 10_000).tick();
    });
    const shadows = turn.facts.filter((fact): fact is ShadowFact => fact.kind === 'shadow');
    const seen = shadows.map(({ version, reported }) => [version.sequence, reported[0]!.value]);
    expect(seen).to.deep.equal([
      [3n, 1],
      [6n, 3],
    ]);
    expect(turn.rows.get('devices')![1]).to.include({ records: 3n, readings: 3n, rejected: 0n });
  });

  it('flushes at sequences that 1,024 divides', () => {
    const turn = run((log) => {
      log.plan(planOf(channels()));
      for (let place = 0; place < 1024; place += 1) log.batch([record(proto(ok))]);
    });
    const shadows = turn.facts.filter(({ kind }) => kind === 'shadow');
    expect(shadows.map(({ version }) => version.sequence)).to.deep.equal([1024n]);
    expect(turn.rows.get('ledger')![0]).to.include({ messages: 1024n, stored: 1023n });
  });
});
