/** Facts on the wire: JSON and Protobuf carry the same, and what the .proto file says. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ajv2020 as Ajv } from 'ajv/dist/2020.js';
import { expect } from 'chai';
import protobuf from 'protobufjs';
import {
  decodeFact,
  encodeDeadLetter,
  encodeFact,
  type FactMessage,
} from '../../../src/wire/fact.ts';
import { deadLetterSubject, factSubject } from '../../../src/wire/subject.ts';
import { alertFact, deadLetter, shadowFact, windowFact } from '../../support/fact-sample.ts';

const here = dirname(fileURLToPath(import.meta.url));
const root = here.replace(/([\\/]build)?[\\/]test[\\/]unit[\\/]wire$/, '');
const protoFile = join(root, 'proto/facts.proto');

const samples: { readonly title: string; readonly fact: FactMessage }[] = [
  { title: 'a window', fact: windowFact() },
  { title: 'a window of nothing', fact: windowFact({ metrics: [], revision: 3, fragment: 5n }) },
  {
    title: 'a window that is no more',
    fact: windowFact({ metrics: [], deleted: true, window: 'session_5m', windowMs: 0 }),
  },
  {
    title: 'a window without sketch',
    fact: windowFact({ metrics: [{ ...windowFact().metrics[0]!, sketch: null, score: 0 }] }),
  },
  { title: 'an alert', fact: alertFact() },
  {
    title: 'an alert that is over',
    fact: alertFact({ active: false, clearedAtMs: 0, clearedValue: 0, severity: 'info' }),
  },
  { title: 'a shadow', fact: shadowFact() },
  { title: 'an empty shadow', fact: shadowFact({ reported: [] }) },
  { title: 'a dead letter', fact: { ...deadLetter(), kind: 'deadLetter' } },
  {
    title: 'a dead letter of nobody',
    fact: { ...deadLetter({ identity: null, sample: new Uint8Array(0) }), kind: 'deadLetter' },
  },
];

function encode(fact: FactMessage, format: 'json' | 'protobuf'): Uint8Array {
  if (fact.kind !== 'deadLetter') return encodeFact(fact, format);
  const { kind: _, ...letter } = fact;
  return encodeDeadLetter(letter, format);
}

describe('facts on the wire', () => {
  for (const format of ['json', 'protobuf'] as const) {
    for (const { title, fact } of samples) {
      it(`carry ${title} as ${format} and back without a difference`, () => {
        expect(decodeFact(encode(fact, format))).to.deep.equal(fact);
      });
    }
  }

  it('write 64-bit integers and versions as strings, sequences not rounded', () => {
    const json = JSON.parse(new TextDecoder().decode(encodeFact(windowFact())));
    expect(json.version).to.deep.equal({
      generation: 0,
      sequence: '9007199254740993',
      ordinal: 2,
    });
    expect(json.versionNumber).to.equal(String((9_007_199_254_740_993n << 32n) | 2n));
    expect(json.position).to.deep.equal({ partition: 3, sequence: '9007199254740993' });
    expect(json.metrics[0].firstSequence).to.equal('18446744073709551615');
    expect(json.fragment).to.equal('0');
  });

  it('write quantiles beside the sketch, and none without one', () => {
    const [metric] = windowFact().metrics;
    const written = (change: Partial<typeof metric>) => {
      const fact = windowFact({ metrics: [{ ...metric!, ...change }] });
      const { p50, p95, p99 } = JSON.parse(new TextDecoder().decode(encodeFact(fact))).metrics[0];
      return [p50, p95, p99];
    };
    // Bin 65,472 is [1, 1 + 1/64).
    const sketch = { keys: [0, 65_472], counts: [90, 10] };
    expect(written({ sketch, min: 0, max: 1.01 })).to.deep.equal([0, 1 + 1 / 128, 1 + 1 / 128]);
    expect(written({ sketch, min: 0, max: 1 })).to.deep.equal([0, 1, 1]);
    expect(written({ sketch: null })).to.deep.equal([null, null, null]);
  });

  it('write what JSON has no number for as a string', () => {
    const [metric] = windowFact().metrics;
    const fact = windowFact({ metrics: [{ ...metric!, sum: Infinity, m2: Number.NaN }] });
    expect(new TextDecoder().decode(encodeFact(fact))).to.include('"sum":"Infinity"');
    expect(decodeFact(encodeFact(fact))).to.deep.equal(fact);
  });

  for (const { title, fact } of samples) {
    it(`let any Protobuf reader understand ${title} by proto/facts.proto`, async () => {
      const type = (await protobuf.load(protoFile)).lookupType('millrace.FactMessage');
      const bytes = encode(fact, 'protobuf');
      const read = type.decode(bytes);
      const plain = type.toObject(read, { longs: String, defaults: true }) as never;
      const kind = fact.kind as 'window';
      const inner = plain[kind] as Record<string, unknown>;
      expect(inner['partition']).to.equal(fact.partition);
      expect(inner['logTimeMs']).to.equal(String(fact.logTimeMs));
      if (fact.kind === 'window') expect(inner['version']).to.include({ ordinal: 2 });
      if (fact.kind === 'shadow') {
        const values = (inner['reported'] as Record<string, unknown>[]).map(
          (each) => each['number'] ?? each['integer'] ?? each['boolean'] ?? each['text'],
        );
        const wanted = fact.reported.map(({ value }) =>
          typeof value === 'bigint' ? String(value) : value,
        );
        expect(values).to.deep.equal(wanted);
      }
      // What the library writes from it, we read: no field is missing in our table.
      expect(decodeFact(type.encode(read).finish())).to.deep.equal(fact);
    });
  }

  it('refuse what is no fact', () => {
    expect(() => decodeFact(new TextEncoder().encode('{"kind":"other"}'))).to.throw(/not other/);
    expect(() => decodeFact(new Uint8Array(0))).to.throw();
  });
});

describe('the documentation of facts', () => {
  const schema = JSON.parse(readFileSync(join(root, 'docs/facts.schema.json'), 'utf8'));
  const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(schema);
  const text = readFileSync(join(root, 'docs/facts.md'), 'utf8');
  const examples = [...text.matchAll(/```json\n([^`]*)```/g)].map(([, each]) => each!);

  it('has a schema that takes every fact, and no fact with a member missing', () => {
    for (const { title, fact } of samples) {
      const json = JSON.parse(new TextDecoder().decode(encode(fact, 'json')));
      validate(json);
      expect(validate.errors, title).to.equal(null);
      for (const name of Object.keys(json)) {
        const { [name]: _, ...rest } = json;
        expect(validate(rest), `${title} without ${name}`).to.equal(false);
      }
    }
  });

  it('shows examples that are facts, members and all', () => {
    expect(examples).to.have.length(4);
    for (const example of examples) {
      validate(JSON.parse(example));
      expect(validate.errors).to.equal(null);
      const fact = decodeFact(new TextEncoder().encode(example));
      const again = JSON.parse(new TextDecoder().decode(encode(fact, 'json')));
      expect(again).to.deep.equal(JSON.parse(example));
    }
  });
});

describe('the subject of an alert', () => {
  it('begins with its severity and ends with its rule', () => {
    expect(factSubject(alertFact())).to.equal('alert.critical.acme.north.truck-7.speeding');
  });
});

describe('the subject of a dead letter', () => {
  const cases = [
    { identity: deadLetter().identity, subject: 'dlq.OUT_OF_RANGE.acme.north.truck-7' },
    { identity: null, subject: 'dlq.OUT_OF_RANGE._._._' },
    {
      identity: { tenant: 'acme', site: '', device: 'a b\r\nPUB x' },
      subject: 'dlq.OUT_OF_RANGE.acme._._',
    },
    {
      identity: { tenant: '>', site: '*', device: 'x'.repeat(65) },
      subject: 'dlq.OUT_OF_RANGE._._._',
    },
  ];
  for (const { identity, subject } of cases) {
    it(`is ${subject} for ${JSON.stringify(identity)}`, () => {
      expect(deadLetterSubject(deadLetter({ identity }))).to.equal(subject);
    });
  }
});
