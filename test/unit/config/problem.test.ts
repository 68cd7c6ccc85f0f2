import { assert } from 'chai';
import { loadConfig } from '../../../src/config/index.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { checkUnits } from '../../../src/registry/index.ts';
import { channelYaml, configFolder, problemsOf, writeConfig } from './fixture.ts';

type Row = [title: string, yaml: string, ...problems: string[]];

function check(rows: readonly Row[]) {
  for (const [title, yaml, ...expected] of rows) {
    it(title, () => {
      assert.deepStrictEqual(problemsOf(yaml, { checks: [checkUnits] }), expected);
    });
  }
}

describe('Problems of a configuration', () => {
  before(configFolder.open);
  after(configFolder.close);

  describe('shape', () => {
    check([
      [
        'points at the name of an unknown option and suggests the nearest',
        'log:\n  id: main\n  partitons: 4\n',
        '3:3: log.partitons: is not an option; allowed: id, partitions, maxBytes, retention ' +
          '(did you mean `partitions`?)',
      ],
      [
        'suggests nothing when nothing is near',
        'facts: { frobnicate: 1 }',
        '1:10: facts.frobnicate: is not an option; allowed: format',
      ],
      [
        'reports a wrong type with what is expected',
        'log: { partitions: many }\nkernel: 5\ndevices: { allow: a/b/c }\n',
        '1:20: log.partitions: must be a whole number, given "many"',
        '2:9: kernel: must be a section (indented `name: value` lines), given 5',
        '3:19: devices.allow: must be a list, given "a/b/c"',
      ],
      [
        'reports a number where a text must be quoted',
        'metrics: { v: { unit: 1 } }',
        '1:23: metrics.v.unit: must be a UCUM code such as m/s, Cel, [degF], % or 1, given 1 ' +
          "(did you mean `'1'`?)",
      ],
      [
        'reports a number out of range',
        'log: { partitions: 0 }\nnats: { port: 65536 }',
        '1:20: log.partitions: must be at least 1, given 0; allowed: 1 … 256',
        '2:15: nats.port: must be at most 65535, given 65536; allowed: 0 … 65535',
      ],
      [
        'reports a duration or size that is none, or out of range',
        'checkpoint: { interval: 10 }\ningest: { linger: 2s }\nkernel: { memory: 256MB ' +
          '}\nlog: { maxBytes: 1MiB, retention: never }',
        '1:25: checkpoint.interval: must be a duration such as 10s, 5m, 1h, 7d or 5y, given ' +
          "10 (did you mean `'10'`?)",
        '2:19: ingest.linger: is out of range, given "2s"; allowed: 0ms … 1s',
        '3:19: kernel.memory: must be a size such as 512KiB, 256MiB or 4GiB, given "256MB"',
        '4:18: log.maxBytes: is out of range, given "1MiB"; allowed: 16MiB … 64TiB',
        '4:35: log.retention: must be a duration such as 7d, 90d or 5y, or forever, given "never"',
      ],
      [
        'reports a value that is not one of the choices and suggests the nearest',
        'nats: { sync: alwais }',
        '1:15: nats.sync: is not one of its values, given "alwais"; allowed: default, always ' +
          '(did you mean `always`?)',
      ],
      [
        'reports names of channels, metrics and devices that cannot be ids',
        'metrics: { 1st: {} }\nchannels: { "a b": { metrics: { x-y: {} } } }\nlog: { id: "" ' +
          '}\ndevices: { policy: strict, allow: [a/b] }',
        '1:12: metrics.1st: is not a valid name, given "1st"; allowed: letters, digits and ' +
          '_, not beginning with a digit',
        '2:13: channels.a b: is not a valid name, given "a b"; allowed: 1 to 64 characters ' +
          'of A-Z a-z 0-9 _ -',
        '2:33: channels.a b.metrics.x-y: is not a valid name, given "x-y"; allowed: letters, ' +
          'digits and _, not beginning with a digit',
        '3:12: log.id: must be 1 to 64 characters of A-Z a-z 0-9 _ -, given ""',
        '4:36: devices.allow.0: must be tenant/site/device, each 1 to 64 characters of A-Z ' +
          'a-z 0-9 _ -, given "a/b"',
      ],
      [
        'does not show a password',
        'nats: { password: [1] }',
        '1:19: nats.password: must be a text, given …',
      ],
      [
        'reports a file that is no section at all',
        '- a\n- b\n',
        "1:1: must be a section (indented `name: value` lines), given [ 'a', 'b' ]",
      ],
      [
        'reports wrong URLs',
        'nats: { url: localhost }\nclickhouse: { url: nats://a }',
        '1:14: nats.url: must be a URL such as nats://host:4222, or several with commas between, given "localhost"',
        '2:20: clickhouse.url: must be a URL such as http://host:8123, given "nats://a"',
      ],
      [
        'reports syntax beside everything else',
        'nats: 5\nlog: { id: x }\nlog: { id: y }\nfacts: [\n',
        '1:7: nats: must be a section (indented `name: value` lines), given 5',
        '3:1: YAML: Map keys must be unique',
        '4:8: facts: must be a section (indented `name: value` lines), given []',
        '5:1: YAML: Flow sequence in block collection must be sufficiently indented and end ' +
          'with a ]',
      ],
    ]);

    it('says which file cannot be read', () => {
      const load = () => loadConfig({ file: '/nowhere/millrace.yaml' });
      assert.throws(load, /\/nowhere\/millrace\.yaml: cannot be read: ENOENT/);
    });

    it('gives one error with a stable code and the file in each line', () => {
      const file = writeConfig('version: 2\nnats: 1\n');
      try {
        loadConfig({ file });
        assert.fail('loaded');
      } catch (error) {
        assert.isTrue(isOperatingError(error, 'CONFIG_INVALID'));
        const lines = (error as Error).message.split('\n  ');
        assert.strictEqual(lines[0], 'the configuration has 2 problems:');
        assert.isTrue(lines.slice(1).every((line) => line.startsWith(`${file}:`)));
      }
    });
  });

  describe('relations', () => {
    check([
      [
        'dedup and dead letters reach no further back than the log',
        'log: { retention: 1d }\ndedup: { horizon: 7d }\n',
        '1:1: deadLetters.retention: must not exceed log.retention (1d): raw bytes lie in ' +
          'the log, given "7d"',
        '2:19: dedup.horizon: must not exceed log.retention (1d), given "7d"',
      ],
      [
        'a log kept for ever allows any horizon',
        'log: { retention: forever }\ndedup: { horizon: 5y }',
      ],
      [
        'dead letters are not kept for ever beyond the log',
        'deadLetters: { retention: forever }',
        '1:27: deadLetters.retention: must not exceed log.retention (7d): raw bytes lie in ' +
          'the log, given "forever"',
      ],
      [
        'every partition gets at least 1 MiB of log',
        'log: { partitions: 64, maxBytes: 63MiB }',
        '1:34: log.maxBytes: must be at least 1MiB per partition: 64MiB for 64, given "63MiB"',
      ],
      ['64 MiB are enough for 64 partitions', 'log: { partitions: 64, maxBytes: 64MiB }'],
      [
        'ports of embedded engines differ',
        'nats: { port: 8123 }\n',
        '1:1: clickhouse.port: is already used by nats.port, given 8123',
      ],
      ['ports of servers of yours do not matter', 'nats: { port: 8123, url: nats://a:1 }'],
      ['any number of ports may be 0', 'nats: { port: 0, monitorPort: 0, websocketPort: 0 }'],
      [
        'strict devices are named',
        'devices: { policy: strict }',
        '1:1: devices.allow: must name the known devices when devices.policy is strict',
      ],
      [
        'a list of devices without strict has no effect',
        'devices: { allow: [a/b/c] }',
        '1:19: devices.allow: has no effect unless devices.policy is strict',
      ],
      [
        'a device is named once',
        'devices: { policy: strict, allow: [a/b/c, a/b/c] }',
        '1:43: devices.allow.1: is named twice, given "a/b/c"',
      ],
      [
        'the range of a metric is a range',
        'metrics:\n  a: { min: 2, max: 1 }\n  b: { min: 1, max: 1 }\n  c: { kind: integer, ' +
          'max: 0.5 }\n  d: { kind: boolean, min: 0 }\n',
        '2:13: metrics.a.min: must not be above max (1), given 2',
        '4:28: metrics.c.max: must be a whole number within ±2^53, as the metric is an ' +
          'integer, given 0.5',
        '5:28: metrics.d.min: has no meaning for a boolean',
      ],
      [
        'names differ in more than case',
        'metrics: { a: {}, A: {} }',
        '1:19: metrics.A: differs from metrics.a only in case',
      ],
      [
        'a relation with an option that is itself wrong is not reported',
        'log: { retention: 1x }\ndedup: { horizon: 5y }',
        '1:19: log.retention: must be a duration such as 7d, 90d or 5y, or forever, given "1x"',
      ],
    ]);
  });

  describe('channels', () => {
    check([
      [
        'metrics are in the catalogue',
        'metrics: { velocity: {} }\nchannels:\n  t:\n    metrics:\n      velocty: {}\n',
        '5:7: channels.t.metrics.velocty: is not in the catalogue (`metrics:` at the top ' +
          'level) (did you mean `velocity`?)',
      ],
      [
        'a metric is not named like a fixed column',
        'metrics: { sequence: {} }\nchannels: { t: { metrics: { sequence: {} } } }',
        '2:29: channels.t.metrics.sequence: is the name of a column that every channel has: ' +
          'choose another',
      ],
      [
        'a channel has metrics',
        'channels:\n  t: {}\n',
        '2:3: channels.t.metrics: must name at least one metric',
      ],
      [
        'a channel is not named like another view',
        'metrics: { v: {} }\nchannels: { agg_1m: { metrics: { v: {} } }, ledger: { metrics: ' +
          '{ v: {} } } }',
        '2:13: channels.agg_1m: is reserved: v_agg_1m is another view',
        '2:45: channels.ledger: is reserved: v_ledger is another view',
      ],
      [
        'paths are not for canonical Protobuf',
        channelYaml('time: { path: t }\neventId: { path: i }', 'protobuf'),
        '6:19: channels.truck.time.path: is for json, avro and protobuf with a schema: ' +
          'a protobuf payload without schema has its fixed places',
        '7:22: channels.truck.eventId.path: is for json, avro and protobuf with a schema: ' +
          'a protobuf payload without schema has its fixed places',
      ],
      [
        'two paths do not overlap',
        channelYaml('time: { path: velocity.at }\neventId: { path: [a, b] }'),
        '5:16: channels.truck.metrics.velocity.path: is the same place as time.path, or ' +
          'within it, given "velocity"',
      ],
      [
        'a path has no empty member names',
        channelYaml('time: { path: a..b }'),
        '6:19: channels.truck.time.path: has an empty member name, given "a..b"',
      ],
      [
        'a required time has a path',
        channelYaml('time: { required: true }'),
        '6:23: channels.truck.time.required: needs time.path: without it every sample is rejected',
      ],
      [
        'windows are named once',
        channelYaml('windows: [7m, 1h, 60m]'),
        '6:23: channels.truck.windows.2: is named twice, given "60m"',
      ],
      [
        'a channel has at most six windows',
        channelYaml('windows: [1s, 1m, 5m, 1h, 6h, 1d, 31d]'),
        "6:14: channels.truck.windows: has more than 6 entries, given [ '1s', '1m', '5m', " +
          "'1h', '6h', '1d', '31d' ]",
      ],
      [
        'out-of-order ≤ lateness ≤ age ≤ dedup horizon',
        channelYaml('outOfOrder: 2h\nlateness: 1h\nage: { max: 8d }'),
        '6:17: channels.truck.outOfOrder: must not exceed lateness (1h), given "2h"',
        '8:17: channels.truck.age.max: must not exceed dedup.horizon (7d), given "8d"',
      ],
      [
        'the ends of the chain may be equal',
        channelYaml('outOfOrder: 1h\nlateness: 1h\nage: { max: 1h }'),
      ],
      [
        'lateness does not exceed a short age',
        channelYaml('age: { max: 30m }'),
        '3:3: channels.truck.lateness: must not exceed age.max (30m), given "1h"',
      ],
      ['age that is accepted is no bound', channelYaml('age: { max: 8d, policy: accept }')],
      [
        'rows outlive the oldest accepted event',
        channelYaml('retention: { readings: 7d, 1m: 7d, 1h: 7d }'),
        '6:28: channels.truck.retention.readings: must exceed 7d (age.max), given "7d"',
        '6:36: channels.truck.retention.1m: must exceed 10081m (age.max and one window), ' +
          'given "7d"',
        '6:44: channels.truck.retention.1h: must exceed 169h (age.max and one window), given "7d"',
      ],
      [
        'a default retention that is too short is named as such',
        `log: { retention: 30d }\ndedup: { horizon: 30d }\n${channelYaml('age: { max: 20d }')}`,
        '5:3: channels.truck.retention.readings: must exceed 20d (age.max); it is 14d by default',
      ],
      [
        'retention names windows of the channel',
        channelYaml('windows: [5m]\nretention: { 1m: 9d }'),
        '7:18: channels.truck.retention.1m: is no window of this channel; allowed: readings, 5m',
      ],
      [
        'historical contradicts judging age and a finite retention',
        channelYaml('historical: true\nage: { policy: reject }\nretention: { readings: 9d }'),
        '7:20: channels.truck.age.policy: contradicts `historical`, which does not judge age',
        '8:28: channels.truck.retention.readings: contradicts `historical`, which keeps ' +
          'everything: say forever, or leave it out, given "9d"',
      ],
      [
        'units are UCUM codes and can be converted',
        'metrics: { a: { unit: kmh }, b: { unit: m/s }, c: {} }\nchannels: { t: { metrics: { ' +
          "a: {}, b: { unit: Cel }, c: { unit: '%' } } } }",
        '1:23: metrics.a.unit: is not a UCUM code: there is no unit \'kmh\', given "kmh" ' +
          '(did you mean `km/h`?)',
        '2:47: channels.t.metrics.b.unit: cannot be converted to m/s: it measures K, not ' +
          'm.s-1, given "Cel"',
      ],
      [
        'a boolean has no unit',
        'metrics: { a: { kind: boolean } }\nchannels: { t: { metrics: { a: { unit: "1" } } } }',
        '2:40: channels.t.metrics.a.unit: has no meaning for a boolean',
      ],
    ]);
  });

  describe('limits, one below, at and beyond', () => {
    const many = (count: number, line: (index: number) => string) =>
      Array.from({ length: count }, (_, index) => line(index)).join('\n');
    const metrics = (count: number) => {
      const names = many(count, (index) => `  m${index}: {}`);
      const used = many(count, (index) => `      m${index}: {}`);
      return `metrics:\n${names}\nchannels:\n  t:\n    metrics:\n${used}\n`;
    };
    const channels = (count: number) =>
      `metrics: { v: {} }\nchannels:\n${many(count, (i) => `  c${i}: { metrics: { v: {} } }`)}\n`;
    const deep = (count: number) =>
      channelYaml(`time: { path: ${Array.from({ length: count }, () => 'a').join('.')} }`);
    const named = (length: number) => `metrics: { ${'a'.repeat(length)}: {} }`;
    const rows: [string, (count: number) => string, number, RegExp][] = [
      ['64 metrics a channel', metrics, 64, /has more than 64 metrics, given 65/],
      ['256 channels', channels, 256, /has more than 256 channels, given 257/],
      ['31 members of a path', deep, 31, /is deeper than 31 members/],
      ['64 characters of a name', named, 64, /is not a valid name/],
    ];
    for (const [title, make, limit, message] of rows) {
      it(title, () => {
        assert.deepStrictEqual(problemsOf(make(limit - 1)), []);
        assert.deepStrictEqual(problemsOf(make(limit)), []);
        const beyond = problemsOf(make(limit + 1));
        assert.lengthOf(beyond, 1);
        assert.match(beyond[0], message);
      });
    }
  });
});
