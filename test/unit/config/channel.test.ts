import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { assert } from 'chai';
import { loadConfig } from '../../../src/config/index.ts';
import type { ChannelConfig } from '../../../src/model/config.ts';
import { configProblems } from '../../../src/model/config-error.ts';
import { channelYaml, configFolder, loadText, problemsOf, writeConfig } from './fixture.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

const channelOf = (lines: string, format = 'json'): ChannelConfig =>
  loadText(channelYaml(lines, format)).channels[0];

type Row = [title: string, yaml: string, ...problems: string[]];

function check(rows: readonly Row[]) {
  for (const [title, yaml, ...expected] of rows) {
    it(title, () => assert.deepStrictEqual(problemsOf(yaml), expected));
  }
}

/** `truck` with three numbers, a text and a boolean. */
const several = (lines: string) => `
metrics: { a: {}, b: {}, c: { kind: integer }, t: { kind: text }, o: { kind: boolean } }
channels:
  truck:
    metrics: { a: {}, b: {}, c: {}, t: {}, o: {} }
${lines.replace(/^/gm, '    ')}
`;

describe('Windows of a channel', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('are tumbling, hopping, session or count, each with a name of its own', () => {
    const { windows } = channelOf(`windows:
  - { count: 100, every: 25 }
  - { session: 5m, max: 2h }
  - { length: 10m, every: 1m }
  - { length: 8h, name: shift, sketch: false }
  - 7m
  - { length: 1d }`);
    const sizes = windows.map((w) => [w.name, w.kind, w.lengthMs, w.everyMs, w.gapMs, w.count]);
    assert.deepStrictEqual(sizes, [
      ['7m', 'tumbling', 7 * MINUTE_MS, 0, 0, 0],
      ['shift', 'tumbling', 8 * HOUR_MS, 0, 0, 0],
      ['1d', 'tumbling', DAY_MS, 0, 0, 0],
      ['10m_every_1m', 'hopping', 10 * MINUTE_MS, MINUTE_MS, 0, 0],
      ['session_5m', 'session', 2 * HOUR_MS, 0, 5 * MINUTE_MS, 0],
      ['last_100', 'count', 0, 0, 0, 100],
    ]);
    assert.strictEqual(windows[5].everyCount, 25);
    assert.deepStrictEqual(
      windows.map((window) => window.sketch),
      [false, false, true, false, false, false],
    );
  });

  it('have a sketch from an hour up, or where a person wants one', () => {
    const sketches = (yaml: string) => channelOf(yaml).windows.map((window) => window.sketch);
    assert.deepStrictEqual(sketches('windows: [59m, 1h]'), [false, true]);
    assert.deepStrictEqual(
      sketches('windows: [{ length: 1m, sketch: true }, { length: 2h, every: 1h }]'),
      [true, true],
    );
    assert.deepStrictEqual(sketches('windows: [{ session: 1h }, { count: 9 }]'), [false, false]);
  });

  it('are published when they close, unless a person says that nobody listens', () => {
    const { windows } = channelOf('windows: [1m, { length: 1h, facts: false }, { count: 9 }]');
    assert.deepStrictEqual(
      windows.map((window) => window.facts),
      [true, false, true],
    );
  });

  it('have defaults: a session is at most a day, count windows do not overlap', () => {
    const { windows } = channelOf('windows: [{ session: 1m }, { session: 2d }, { count: 9 }]');
    assert.deepStrictEqual(
      windows.map(({ lengthMs, everyCount }) => [lengthMs, everyCount]),
      [
        [DAY_MS, 0],
        [2 * DAY_MS, 0],
        [0, 9],
      ],
    );
  });

  it('are kept by name, sessions and shifts too', () => {
    const { windows } = channelOf(`windows: [{ session: 5m }, { length: 8h, name: shift }, 60s]
retention: { session_5m: 30d, shift: forever, 1m: 60d }`);
    assert.deepStrictEqual(
      windows.map(({ name, retentionMs }) => [name, retentionMs / DAY_MS]),
      [
        ['1m', 60],
        ['shift', 0],
        ['session_5m', 30],
      ],
    );
  });

  check([
    [
      'say what they are, once',
      channelYaml('windows: [{ length: 1m, count: 4 }, {}]'),
      '6:15: channels.truck.windows.0: must say exactly one of length, session and count, ' +
        "given { length: '1m', count: 4 }",
      '6:41: channels.truck.windows.1: must say exactly one of length, session and count, given {}',
    ],
    [
      'have no members of another kind',
      channelYaml('windows: [{ session: 1m, every: 1s }, { length: 1m, max: 1h }]'),
      '6:37: channels.truck.windows.0.every: does not go together with session; ' +
        'allowed: name, session, max, sketch, facts',
      '6:62: channels.truck.windows.1.max: does not go together with length; ' +
        'allowed: name, length, every, sketch, facts',
    ],
    [
      'are at least 1 s and at most 31 d',
      channelYaml('windows: [999ms, { session: 32d }]'),
      '6:15: channels.truck.windows.0: is out of range, given "999ms"; allowed: 1s … 31d',
      '6:33: channels.truck.windows.1.session: is out of range, given "32d"; allowed: 1s … 31d',
    ],
    ['may be 31 d long', channelYaml('windows: [31d]')],
    [
      'overlap 64 times at most, and evenly',
      channelYaml(
        'windows: [{ length: 65s, every: 1s }, { length: 64s, every: 1s }, ' +
          '{ length: 10m, every: 3m }, { count: 10, every: 3 }]',
      ),
      '6:37: channels.truck.windows.0.every: must go into length (65s) 2 to 64 whole times, ' +
        'given "1s"',
      '6:93: channels.truck.windows.2.every: must go into length (10m) 2 to 64 whole times, ' +
        'given "3m"',
      '6:119: channels.truck.windows.3.every: must go into count (10) 1 to 64 whole times, given 3',
    ],
    [
      'hop by time when they have a length, by samples when they have a count',
      channelYaml('windows: [{ length: 10m, every: 3 }, { count: 10, every: 3s }]'),
      '6:37: channels.truck.windows.0.every: must be a duration such as 1m, as `length` is, given 3',
      '6:62: channels.truck.windows.1.every: must be a number of samples, as `count` is, ' +
        'given "3s"',
    ],
    [
      'are not the same twice, nor named alike',
      channelYaml(
        'windows: [1h, { length: 60m, every: 1h }, { length: 2h, name: x }, { count: 5, name: x }]',
      ),
      '6:19: channels.truck.windows.1: is named twice, given { length: ' + "'60m', every: '1h' }",
      "6:72: channels.truck.windows.3: would be a second window 'x': give one of them another name",
    ],
    [
      'do not bear the name of another length',
      channelYaml('windows: [{ length: 5m, name: 1m }, { length: 1m, name: readings }]'),
      '6:35: channels.truck.windows.0.name: says another window than it is; a name of yours ' +
        'begins with a letter, given "1m"',
      '6:61: channels.truck.windows.1.name: is how `retention` calls the samples',
    ],
    [
      'have names that are a token and a suffix of a table',
      channelYaml("windows: [{ length: 5m, name: 'a-b' }]"),
      '6:35: channels.truck.windows.0.name: must be 1 to 32 characters of a-z 0-9 _, not ' +
        'beginning with _, given "a-b"',
    ],
    [
      'have sessions that are no shorter than their gap',
      channelYaml('windows: [{ session: 5m, max: 1m }]'),
      '6:35: channels.truck.windows.0.max: must not be shorter than session (5m), given "1m"',
    ],
    [
      'say nothing that they do not know',
      channelYaml('windows: [{ lenght: 5m }]'),
      '6:17: channels.truck.windows.0.lenght: is not an option; allowed: name, length, every, ' +
        'session, max, count, sketch, facts (did you mean `length`?)',
    ],
  ]);
});

describe('Rules and alerts of a channel', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('rules are written the way round that needs four operators', () => {
    const rules = ['a < b', 'a<=b', 'a = b', 'a != b', 'a >= b', 'a > c'];
    const lines = rules.map((text, index) => `  r${index}: "${text}"`).join('\n');
    const [channel] = loadText(several(`rules:\n${lines}`)).channels;
    assert.deepStrictEqual(
      channel.rules.map(({ left, operator, right }) => `${left} ${operator} ${right}`),
      ['a < b', 'a <= b', 'a = b', 'a != b', 'b <= a', 'c < a'],
    );
  });

  it('alerts have one condition, hysteresis, dwell and severity', () => {
    const [channel] = loadText(
      several(`alerts:
  high: { metric: a, above: 0 }
  low: { metric: b, below: -5, hysteresis: 1, dwell: 10s, severity: critical }
  both: { metric: c, outside: [1, 9], severity: info }`),
    ).channels;
    const plain = { hysteresis: 0, dwellMs: 0, severity: 'warning' };
    assert.deepStrictEqual(channel.alerts, [
      { name: 'high', metric: 'a', condition: 'above', low: 0, high: 0, ...plain },
      {
        ...{ name: 'low', metric: 'b', condition: 'below', low: -5, high: 0 },
        ...{ hysteresis: 1, dwellMs: 10_000, severity: 'critical' },
      },
      {
        ...{ name: 'both', metric: 'c', condition: 'outside', low: 1, high: 9 },
        ...{ ...plain, severity: 'info' },
      },
    ] as ChannelConfig['alerts']);
  });

  check([
    [
      'a rule compares two numbers of the channel',
      several('rules: { r: "a <= x", s: "a < a", u: "t = a", v: "a << b" }'),
      '6:17: channels.truck.rules.r: names x, which is no metric of the channel; ' +
        'allowed: a, b, c, t, o (did you mean `a`?)',
      '6:30: channels.truck.rules.s: compares a metric with itself',
      '6:42: channels.truck.rules.u: needs a number, and t is a text',
      '6:54: channels.truck.rules.v: must be a comparison of two metrics such as ' +
        '"inside <= outside", given "a << b"',
    ],
    [
      'an alert has one condition, of a number of the channel',
      several(`alerts:
  n: { metric: a }
  m: { metric: a, above: 1, below: 2 }
  k: { above: 1 }
  o: { metric: o, above: 1 }
  p: { metric: a, outside: [2, 1] }
  q: { metric: a, outside: [1, 2], hysteresis: 0.6 }
  r: { metric: a, above: 1, hysteresis: -1 }`),
      '7:7: channels.truck.alerts.n: must say exactly one of above, below and outside',
      '8:7: channels.truck.alerts.m: must say exactly one of above, below and outside',
      '9:7: channels.truck.alerts.k.metric: must name a metric',
      '10:20: channels.truck.alerts.o.metric: needs a number, and o is a boolean',
      '11:32: channels.truck.alerts.p.outside: must name the lower value first, given [ 2, 1 ]',
      '12:52: channels.truck.alerts.q.hysteresis: leaves no value inside the bounds that would ' +
        'clear the alert, given 0.6',
      '13:45: channels.truck.alerts.r.hysteresis: must be at least 0, given -1',
    ],
  ]);
});

describe('Formats of a channel', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('decide what is known by its content and what is passed over', () => {
    const of = (lines: string, format: string) => {
      const { contentDedup, unknownMetrics } = channelOf(lines, format);
      return [contentDedup, unknownMetrics];
    };
    assert.deepStrictEqual(of('', 'protobuf'), [false, 'reject']);
    assert.deepStrictEqual(of('', 'json'), [false, 'ignore']);
    assert.deepStrictEqual(of('time: { path: at }', 'json'), [true, 'ignore']);
    assert.deepStrictEqual(of('', 'sparkplug'), [true, 'ignore']);
    assert.deepStrictEqual(of('', 'senml-cbor'), [true, 'ignore']);
    assert.deepStrictEqual(of('dedup: { content: false }', 'senml-json'), [false, 'ignore']);
  });

  it('decide how a path is read: names of Sparkplug and SenML stand as they are', () => {
    const path = (given: string, format: string) =>
      loadText(
        `metrics: { v: {} }\nchannels: { t: { format: ${format}, metrics: { v: { path: ${given} } } } }`,
      ).channels[0].metrics[0].path;
    assert.deepStrictEqual(path('a.b/c', 'json'), ['a', 'b/c']);
    assert.deepStrictEqual(path('a.b/c', 'sparkplug'), ['a.b/c']);
    assert.deepStrictEqual(path('[pump1, a.b/c]', 'sparkplug'), ['pump1', 'a.b/c']);
    assert.deepStrictEqual(path('urn:x:a.b', 'senml-json'), ['urn:x:a.b']);
  });

  it('read their schema beside the file that names it', () => {
    const file = writeConfig(channelYaml('schema: { file: schema/v.avsc, ids: [] }', 'avro'));
    const schema = join(dirname(file), 'schema', 'v.avsc');
    mkdirSync(dirname(schema), { recursive: true });
    writeFileSync(schema, '{"type":"record"}');
    const [channel] = loadConfig({ file }).config.channels;
    assert.deepStrictEqual(channel.schema, {
      file: schema,
      text: '{"type":"record"}',
      message: null,
    });
  });

  it('a schema makes protobuf a message of one’s own', () => {
    const file = writeConfig(
      channelYaml('schema: { file: own.proto, message: a.B }\ntime: { path: at }', 'protobuf'),
    );
    writeFileSync(join(dirname(file), 'own.proto'), 'syntax = "proto3";');
    const [channel] = loadConfig({ file }).config.channels;
    assert.strictEqual(channel.format, 'protobuf-message');
    assert.strictEqual(channel.schema?.message, 'a.B');
    assert.deepStrictEqual(channel.metrics[0].path, ['velocity']);
    assert.isTrue(channel.contentDedup);
  });

  it('say which schema file cannot be read, at its place', () => {
    const file = writeConfig(channelYaml('schema: { file: gone.avsc }', 'avro'));
    try {
      loadConfig({ file });
      assert.fail('loaded');
    } catch (error) {
      const [problem, ...others] = configProblems(error);
      assert.deepStrictEqual(others, []);
      assert.include(problem, { file, line: 6, column: 21, path: 'channels.truck.schema.file' });
      assert.match(problem.message, /^cannot be read: ENOENT.*gone\.avsc', given "gone\.avsc"$/);
    }
  });

  it('take arrays of samples: times and metrics begin at the element', () => {
    const channel = channelOf('samples: { path: data.rows }\ntime: { path: at, of: record }');
    assert.deepStrictEqual(channel.samplesPath, ['data', 'rows']);
    assert.strictEqual(channel.time.of, 'record');
    // In an array the same name may stand at the root and in the element.
    assert.deepStrictEqual(
      problemsOf(channelYaml('samples: { path: rows }\ntime: { path: velocity, of: record }')),
      [],
    );
  });

  check([
    [
      'Avro has a schema',
      channelYaml('', 'avro'),
      '3:3: channels.truck.schema.file: must name the .avsc file: Avro cannot be read without ' +
        'its schema',
    ],
    [
      'JSON has no schema, and only Protobuf has messages',
      channelYaml('schema: { message: a.B }', 'json'),
      '6:24: channels.truck.schema.message: has no meaning for json: it is for protobuf',
    ],
    [
      'a message stands in a file',
      channelYaml('schema: { message: a.B }', 'protobuf'),
      '6:24: channels.truck.schema.message: needs schema.file, in which the message stands',
    ],
    [
      'a .proto file has a message that payloads are',
      channelYaml(`schema: { file: ${import.meta.filename} }`, 'protobuf'),
      '6:5: channels.truck.schema.message: must name the message of the file that payloads are',
    ],
    [
      'a Confluent prefix names one of the ids, and stands before what Confluent serializes',
      channelYaml('framing: confluent', 'json'),
      '6:14: channels.truck.framing: needs schema.ids: the ids that the prefix may name',
    ],
    ['a Confluent prefix has ids', channelYaml('framing: confluent\nschema: { ids: [7] }')],
    [
      'ids without prefix have no effect',
      channelYaml('schema: { ids: [7] }'),
      '6:20: channels.truck.schema.ids: has no effect without framing: confluent',
    ],
    [
      'SenML has no prefix and fixed places',
      channelYaml('framing: confluent\nsamples: { path: a }\ntime: { of: record }', 'senml-cbor'),
      '6:14: channels.truck.framing: has no meaning for senml-cbor: it is for avro, json and protobuf',
      '7:22: channels.truck.samples.path: is for json, avro and protobuf with a schema: ' +
        'senml-cbor has its fixed places',
      '8:17: channels.truck.time.of: is for json, avro and protobuf with a schema: ' +
        'senml-cbor has its fixed places',
    ],
    [
      'a path in Sparkplug names a metric, or a device and a metric, once',
      'metrics: { v: {}, w: {}, x: {} }\nchannels:\n  t:\n    format: sparkplug\n    metrics:\n' +
        '      v: { path: [a, b, c] }\n      w: { path: [p, q] }\n      x: { path: [p, q] }\n',
      "6:18: channels.t.metrics.v.path: names too much, given [ 'a', 'b', 'c' ]; " +
        'allowed: a name, or [device, name]',
      '8:18: channels.t.metrics.x.path: is the same place as metrics.w.path',
    ],
    [
      'content is only known again when payloads have their own time',
      channelYaml('dedup: { content: true }'),
      '6:23: channels.truck.dedup.content: needs time.path: what has no time of its own may ' +
        'well come twice',
    ],
    [
      'the time of a record belongs to an array of samples',
      channelYaml('time: { path: at, of: record }'),
      '6:27: channels.truck.time.of: has no effect without samples.path',
    ],
  ]);
});

describe('Metrics of the catalogue', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('may be text with listed values, and have a greatest rate and a longest sameness', () => {
    const { metrics } = loadText(`metrics:
  state: { kind: text, values: [on, off], stuck: 1d }
  speed: { maxRate: 4.5 }`);
    assert.deepInclude(metrics[0], { values: ['on', 'off'], stuckMs: DAY_MS });
    assert.include(metrics[1], { maxRatePerSecond: 4.5, stuckMs: null, values: null });
  });

  check([
    [
      'have only what their kind can have',
      `metrics:
  t: { kind: text, min: 1, maxRate: 1, values: [a, a, '${'ü'.repeat(129)}'] }
  b: { kind: boolean, maxRate: 1, values: [x] }
  n: { maxRate: 0, stuck: 1ms }`,
      '2:25: metrics.t.min: has no meaning for a text',
      '2:37: metrics.t.maxRate: has no meaning for a text',
      '2:52: metrics.t.values.1: is named twice, given "a"',
      '2:55: metrics.t.values.2: is longer than 256 bytes of UTF-8',
      '3:32: metrics.b.maxRate: has no meaning for a boolean',
      '3:43: metrics.b.values: has no meaning for a boolean: it is for text',
      '4:17: metrics.n.maxRate: must be above 0, given 0',
      '4:27: metrics.n.stuck: is out of range, given "1ms"; allowed: 1s … 1y',
    ],
    [
      'have no unit in a channel when they are text',
      'metrics: { t: { kind: text } }\nchannels: { c: { metrics: { t: { unit: m } } } }',
      '2:40: channels.c.metrics.t.unit: has no meaning for a text',
    ],
  ]);
});
