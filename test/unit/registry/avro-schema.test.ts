import { assert } from 'chai';
import { compileAvroSchema } from '../../../src/registry/schema/avro-schema.ts';
import type { SchemaUse } from '../../../src/registry/schema/schema-use.ts';

const record = (name: string, fields: Record<string, unknown>) => ({
  type: 'record',
  name,
  fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
});
const timestamp = (unit: string) => ({ type: 'long', logicalType: `timestamp-${unit}` });

const SCHEMA = record('Reading', {
  speed: 'double',
  gear: ['null', 'int'],
  either: ['null', 'int', 'string'],
  open: 'boolean',
  price: { type: 'bytes', logicalType: 'decimal', precision: 4, scale: 2 },
  mode: { type: 'enum', name: 'Mode', symbols: ['on', 'off'] },
  counts: { type: 'array', items: 'int' },
  points: { type: 'array', items: record('Point', { x: 'float', at: timestamp('millis') }) },
  tags: { type: 'map', values: 'int' },
  inner: record('Inner', { x: 'int', empty: record('Empty', {}) }),
  digest: { type: 'fixed', name: 'Digest', size: 4 },
  id: 'string',
  micros: timestamp('micros'),
  local: { type: 'long', logicalType: 'local-timestamp-millis' },
  day: { type: 'int', logicalType: 'date' },
  plain: 'long',
  short: 'int',
});
const FILE = 'reading.avsc';
const HAS =
  'it has `speed`, `gear`, `either`, `open`, `price`, `mode`, `counts`, `points` and 9 more';

const USE: SchemaUse = {
  format: 'avro',
  samplesPath: [],
  timeOf: 'sample',
  timePath: [],
  timeFormat: 'ms',
  eventIdPath: [],
  metrics: [],
};
const words = (path: string): readonly string[] => (path === '' ? [] : path.split('.'));
const metric = (kind: SchemaUse['metrics'][number]['kind'], path: string) => ({
  metrics: [{ name: 'm', kind, path: words(path) }],
});

function problemsOf(use: Partial<SchemaUse>, text = JSON.stringify(SCHEMA)): string[] {
  const verdict = compileAvroSchema({ text, file: FILE }, { ...USE, ...use });
  if ('schema' in verdict) return [];
  return verdict.problems.map(({ path, metric: name, what }) =>
    name === undefined ? `${path}: ${what}` : `${path}.${name}: ${what}`,
  );
}

function check(table: readonly (readonly [string, Partial<SchemaUse>, ...string[]])[]): void {
  for (const [title, use, ...problems] of table) {
    it(title, () => assert.deepStrictEqual(problemsOf(use), problems));
  }
}

describe('An Avro schema for a channel', () => {
  describe('is refused as a whole', () => {
    const refused = (title: string, text: string, what: string) =>
      it(title, () => assert.deepStrictEqual(problemsOf({}, text), [`schema: ${what}`]));

    it('when it is not JSON, saying where', () => {
      const [problem, ...others] = problemsOf({}, '{');
      assert.deepStrictEqual(others, []);
      assert.match(problem, /^schema: reading\.avsc is not JSON: .*position 1.*\.$/);
    });
    refused(
      'when a type has no declaration',
      '"Engine"',
      `${FILE} is not an Avro schema: undefined type name: Engine.`,
    );
    refused(
      'when a union has two branches of a kind',
      JSON.stringify(record('A', { a: ['int', 'int'] })),
      `${FILE} is not an Avro schema: duplicate union branch name: "int".`,
    );
    refused(
      'when no value of it ends',
      JSON.stringify(record('A', { a: 'A' })),
      `${FILE}: a record contains itself without a union, array or map between, so no value of it ever ends.`,
    );
    it('but not when a union ends it', () => {
      assert.deepStrictEqual(problemsOf({}, JSON.stringify(record('A', { a: ['null', 'A'] }))), []);
    });
  });

  describe('has metrics that lead to a value of their kind', () => {
    check([
      ['a number from a double', metric('number', 'speed')],
      ['a number from an optional int', metric('number', 'gear')],
      ['an integer from a record in the record', metric('integer', 'inner.x')],
      ['an integer from any key of a map', metric('integer', 'tags.anything')],
      ['a boolean', metric('boolean', 'open')],
      ['text from an enum', metric('text', 'mode')],
      [
        'a name written wrongly: which was meant',
        metric('number', 'sped'),
        "metrics.m: `sped` leads nowhere: the schema's root has no field `sped`: did you mean `speed`?",
      ],
      [
        'a name like no other: which there are',
        metric('number', 'temperature'),
        `metrics.m: \`temperature\` leads nowhere: the schema's root has no field \`temperature\`: ${HAS}.`,
      ],
      [
        'a name in a record without fields',
        metric('number', 'inner.empty.x'),
        'metrics.m: `inner.empty.x` leads nowhere: `inner.empty` has no field `x`: it has none.',
      ],
      [
        'a path that goes on behind a value',
        metric('number', 'speed.x'),
        'metrics.m: `speed.x` leads nowhere: `speed` is a double, so there is no `x` in it.',
      ],
      [
        'a path into an array',
        metric('number', 'counts.0'),
        'metrics.m: `counts.0` leads nowhere: `counts` is an array (only `samples` may lead to one), so there is no `0` in it.',
      ],
      [
        'another kind: which to declare',
        metric('integer', 'speed'),
        'metrics.m: `speed` is a double; an integer is read from int or long. Declare it as `number` instead.',
      ],
      [
        'an enum as a number',
        metric('number', 'mode'),
        'metrics.m: `mode` is an enum (Mode); a number is read from int, long, float or double. Declare it as `text` instead.',
      ],
      [
        'a decimal',
        metric('number', 'price'),
        'metrics.m: `price` is a decimal; a number is read from int, long, float or double. Decimals are passed over, not read; send a double.',
      ],
      [
        'a union of two values',
        metric('number', 'either'),
        'metrics.m: `either` is a union of null, int, string (only null and one other type can be read); a number is read from int, long, float or double.',
      ],
      [
        'what no kind is read from',
        metric('boolean', 'digest'),
        'metrics.m: `digest` is a fixed (Digest); a boolean is read from boolean.',
      ],
    ]);

    it('at most 32 records and maps deep', () => {
      const nested = (depth: number): unknown =>
        depth === 0 ? 'int' : { type: 'map', values: nested(depth - 1) };
      const path = (length: number) => Array<string>(length).fill('k').join('.');
      const at = (depth: number) =>
        problemsOf(metric('integer', path(depth)), JSON.stringify(nested(depth)));
      assert.deepStrictEqual(at(32), []);
      assert.deepStrictEqual(at(33), [
        `metrics.m: \`${path(33)}\` is deeper than 32 records and maps.`,
      ]);
    });
  });

  describe('has samples that are an array of records or maps', () => {
    const samples = (path: string, inElement = 'x') => ({
      ...metric('number', inElement),
      samplesPath: words(path),
    });
    check([
      ['records', samples('points')],
      [
        'a path of an element that is not there',
        samples('points', 'y'),
        'metrics.m: `y` leads nowhere: an element of `samples` has no field `y`: did you mean `x`?',
      ],
      [
        'an array of values, and then nothing about what lies in it',
        samples('counts'),
        'samples: `counts` is an array whose items are an int; samples are records or maps.',
      ],
      [
        'no array',
        samples('inner'),
        'samples: `inner` is a record (Inner); samples are read from an array.',
      ],
    ]);
  });

  describe('has times as the format says', () => {
    const time = (path: string, timeFormat: SchemaUse['timeFormat'] = 'ms') => ({
      timePath: words(path),
      timeFormat,
    });
    check([
      ['a timestamp of the same unit', time('micros', 'us')],
      ['a long of any unit', time('plain', 'ns')],
      ['an int of seconds', time('short', 's')],
      ['a string', time('id', 'iso8601')],
      [
        'of the element in samples',
        { ...time('points.at'), samplesPath: ['points'] },
        'time: `points.at` leads nowhere: an element of `samples` has no field `points`: it has `x`, `at`.',
      ],
      [
        'of the whole record beside samples',
        { ...time('plain'), timeOf: 'record' as const, samplesPath: ['points'] },
      ],
      [
        'a timestamp of another unit',
        time('micros'),
        "time: `micros` is timestamp-micros, but the time's format is `ms`; declare `us`.",
      ],
      [
        'a local timestamp',
        time('local'),
        'time: `local` is local-timestamp-millis, a time of an unknown zone; send UTC as timestamp-millis.',
      ],
      [
        'a date',
        time('day', 's'),
        'time: `day` is date, not an instant; a time is read from a timestamp or a string.',
      ],
      [
        'a double',
        time('speed'),
        'time: `speed` is of type double; a time is read from a long or a string.',
      ],
      [
        'a long as text',
        time('plain', 'iso8601'),
        "time: `plain` is of type long, but the time's format is `iso8601`, which is read from a string.",
      ],
      [
        'an int of milliseconds',
        time('short'),
        'time: `short` is of type int, which holds no time in `ms`: only seconds fit; send a long.',
      ],
    ]);
  });

  describe('has event ids', () => {
    check([
      ['that are strings', { eventIdPath: ['id'] }],
      ['that are numbers', { eventIdPath: ['plain'] }],
      [
        'that are nothing else',
        { eventIdPath: ['speed'] },
        'eventId: `speed` is a double; an event id is read from a string, int or long.',
      ],
    ]);
  });

  it('shows every problem at once', () => {
    const use = {
      timePath: ['when'],
      eventIdPath: ['speed'],
      ...metric('text', 'speed'),
    };
    assert.deepStrictEqual(
      problemsOf(use).map((problem) => problem.slice(0, problem.indexOf(':'))),
      ['time', 'eventId', 'metrics.m'],
    );
  });
});
