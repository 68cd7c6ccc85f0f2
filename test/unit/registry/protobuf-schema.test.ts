/** What a .proto file must have for a channel, and what is said when it has not. */
import { expect } from 'chai';
import { compileProtobufSchema } from '../../../src/registry/schema/protobuf-schema.ts';
import type { SchemaUse } from '../../../src/registry/schema/schema-use.ts';

const TEXT = `
  syntax = "proto3"; package a;
  import "google/protobuf/timestamp.proto";
  import "google/protobuf/wrappers.proto";
  enum State { OFF = 0; ON = 1; }
  message Outer {
    message Inner { double v = 1; }
    google.protobuf.Timestamp ts = 1;
    map<string, Inner> parts = 2;
    oneof choice { int32 count = 3; string name = 4; Inner inner = 40; }
    State state = 5;
    repeated int32 values = 6;
    repeated Sample samples = 7;
    int64 epoch = 10;
    google.protobuf.DoubleValue wrapped = 11;
    map<int32, bool> flags = 12;
  }
  message Sample { sint32 q = 1; google.protobuf.Timestamp at = 4; }
`;
const NOTHING: SchemaUse = {
  ...{ format: 'protobuf-message', samplesPath: [], timeOf: 'sample', timePath: [] },
  ...{ timeFormat: 'ms', eventIdPath: [], metrics: [] },
};
const path = (text: string): readonly string[] => text.split('.');
const metric = (kind: SchemaUse['metrics'][number]['kind'], at: string): Partial<SchemaUse> => ({
  metrics: [{ name: 'm', kind, path: path(at) }],
});

function compile(use: Partial<SchemaUse>, source: { text?: string; message?: string } = {}) {
  const given = { text: TEXT, message: 'Outer', file: 'x.proto', ...source };
  return compileProtobufSchema(given, { ...NOTHING, ...use });
}

function whatOf(verdict: ReturnType<typeof compile>): string {
  return 'problems' in verdict ? verdict.problems.map(({ what }) => what).join(' ') : 'fine';
}

describe('A Protobuf schema for a channel', () => {
  for (const [title, use, said] of [
    ['a scalar', metric('integer', 'count'), 'fine'],
    ['a nested scalar of a map', metric('number', 'parts.left.v'), 'fine'],
    ['a wrapper', metric('number', 'wrapped.value'), 'fine'],
    ['an element', metric('number', 'values.3'), 'fine'],
    ['an enumeration as text', metric('text', 'state'), 'fine'],
    ['a map of booleans', metric('boolean', 'flags.-1'), 'fine'],
    ['a Timestamp', { timePath: ['ts'] }, 'fine'],
    ['an epoch', { timePath: ['epoch'] }, 'fine'],
    ['samples', { samplesPath: ['samples'], timePath: ['at'], ...metric('integer', 'q') }, 'fine'],
    ['a name as event id', { eventIdPath: ['name'] }, 'fine'],
    ['nothing of that name', metric('number', 'coun'), 'did you mean `count`?'],
    ['a message', metric('number', 'parts.left'), '`parts.left` is a message a.Outer.Inner'],
    ['behind a scalar', metric('number', 'count.x'), 'there is no `x` in it'],
    ['another kind', metric('text', 'count'), '`count` is an int32; a text is read from: string'],
    ['a double as integer', metric('integer', 'inner.v'), 'an integer is read from'],
    ['a repeated field', metric('number', 'values'), 'an index must follow'],
    ['no index', metric('number', 'values.x'), 'an index from 0 to 1023 must follow, not `x`'],
    ['no key', metric('boolean', 'flags'), 'a key must follow'],
    ['another key', metric('boolean', 'flags.x'), '`x` is no int32'],
    ['an epoch without unit', { timePath: ['epoch'], timeFormat: 'iso8601' }, 'say its unit'],
    ['a double as time', { timePath: ['inner', 'v'] }, 'a time is an integer, a string or'],
    ['an enumeration as id', { eventIdPath: ['state'] }, 'an event id is a string, bytes or'],
    ['no samples', { samplesPath: ['inner'] }, 'samples are a repeated message'],
    [
      ...['an id in the samples'],
      { samplesPath: ['samples'], eventIdPath: path('samples.0.q') },
      'leads into the samples',
    ],
    [
      ...['a metric in the time'],
      { timePath: ['ts'], ...metric('integer', 'ts.seconds') },
      'leads into the Timestamp that is the time',
    ],
  ] as [string, Partial<SchemaUse>, string][]) {
    it(`says of ${title}: ${said}`, () => {
      expect(whatOf(compile(use))).to.include(said);
    });
  }

  for (const [title, source, said] of [
    ['a message by its full name', { message: 'a.Outer.Inner' }, 'fine'],
    ['a misspelt message', { message: 'Outr' }, 'did you mean `Outer`?'],
    ['another import', { text: 'syntax = "proto3"; import "b.proto";' }, 'imports b.proto'],
    ['no Protobuf', { text: 'message {' }, 'x.proto is not a Protobuf schema that can be read'],
    ['an unknown type', { text: 'syntax = "proto3"; message Outer { X x = 1; }' }, "'X'"],
  ] as const) {
    it(`says of ${title}: ${said}`, () => {
      expect(whatOf(compile({}, source))).to.include(said);
    });
  }

  it('keeps what leads to the paths, oneofs whole, and where the message stands', () => {
    const verdict = compile(metric('text', 'name'), { message: 'Outer' });
    if (!('schema' in verdict)) throw new Error(whatOf(verdict));
    const { messages, enums, indexPath } = verdict.schema;
    const names = messages.map(({ fields }) => fields.map(({ name }) => name));
    expect(names).to.deep.equal([['count', 'name', 'inner']]);
    expect(enums).to.deep.equal([]);
    expect(indexPath).to.deep.equal([0]);
    const inner = compile({}, { message: 'Inner' });
    expect('schema' in inner && inner.schema.indexPath).to.deep.equal([0, 0]);
  });
});
