/**
 * What can be attacked: a plan per format, inputs to begin with, and words at which the format
 * turns. In: nothing. Out: targets by name.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { encode as encodeCbor } from 'cbor-x';
import protobuf from 'protobufjs';
import { projectFolder } from '../../src/base/project.ts';
import type { Plan } from '../../src/model/plan.ts';
import { encodeTelemetry } from '../kernel/telemetry.ts';
import { avroPlan, avroSeed, METRICS, messagePlan, messageSeed, planWith } from './schema.ts';

export interface Target {
  readonly name: string;
  readonly plan: () => Plan;
  readonly seeds: () => readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  readonly kinds: readonly string[];
  /** Entries of a device's remembered aliases (assembly/decode/alias-list.ts). */
  readonly aliases: Uint8Array;
}

const NO_KIND = [''];
const NO_ALIASES = new Uint8Array(0);
const text = (...words: string[]): Uint8Array[] => words.map((word) => Buffer.from(word, 'latin1'));

const SENML_METRICS = METRICS.map((metric) => ({
  ...metric,
  path: [metric.name],
  sentUnit: metric.name === 'value' ? 'Cel' : '',
}));

const NUMBERS = text('1e400', '-0', '9007199254740993', '0.1', '1E-7', '12345678901234567890');
/** A pack with the integer labels of RFC 8428. */
const labelled = (record: object): Map<number, unknown> =>
  new Map(Object.entries(record).map(([label, value]) => [Number(label), value]));

const SPARKPLUG_METRICS = METRICS.map((metric) => ({
  ...metric,
  path: metric.ordinal % 2 === 0 ? [metric.name] : ['dev', metric.name],
}));
const SPARKPLUG_TYPE = protobuf
  .parse(readFileSync(join(projectFolder(), 'test', 'kernel', 'sparkplug.proto'), 'utf8'))
  .root.lookupType('Payload');
const sparkplug = (value: object): Uint8Array =>
  SPARKPLUG_TYPE.encode(SPARKPLUG_TYPE.fromObject(value)).finish();
const SPARKPLUG_VALUES = [
  {
    timestamp: 1_790_000_000_000,
    seq: 0,
    metrics: [
      { name: 'value', alias: 1, datatype: 10, doubleValue: 1.5 },
      { name: 'on', alias: 3, datatype: 11, booleanValue: true, timestamp: 1_790_000_000_001 },
      { name: 'count', alias: 2, datatype: 1, intValue: 0xfffffffe },
      { name: 'mode', alias: 4, datatype: 12, stringValue: 'auto', isNull: true },
    ],
  },
  {
    timestamp: 1_790_000_000_002,
    seq: 1,
    metrics: [{ alias: 1, doubleValue: 2, isHistorical: true }],
  },
];
/** What a device remembers: alias 1 and 3 of the node, 2 of its device, as doubles and an Int8. */
const ALIASES = Buffer.concat(
  [
    [1, 0, 10],
    [3, 2, 11],
  ].map(([alias, ordinal, dataType]) => {
    const entry = Buffer.alloc(24);
    entry.writeBigUInt64LE(BigInt(alias!), 0);
    entry.writeUInt32LE(ordinal!, 8);
    entry.writeUInt32LE(dataType!, 12);
    return entry;
  }),
);

const JSON_WORDS = text(
  ...['"value":', '"count":', '"on":true', '"mode":"auto"', '"note":"', '"a":{"b":{"c":1}}'],
  ...['"time":', '"id":"x"', '\\u0061', '\\ud800', '\\udc00', '\\n', '"', '{', '}', '[', ']', ','],
  ...[' ', 'null', 'true', '\xc3\xa9', '\xf0\x9f\x98\x80', '\xed\xa0\x80', '[[[[[[[['],
  ...['"2026-08-01T12:00:00.123Z"', '1790000000000'],
);
const JSON_SEEDS = text(
  '{"time":1790000000000,"id":"a-1","value":21.5,"count":3,"on":true,"mode":"auto"}',
  '{"note":"caf\\u00e9 \\ud83d\\ude00","a":{"b":{"c":-1.25e-3}},"x":[1,{"y":null}],"value":1}',
);

export const TARGETS: readonly Target[] = [
  {
    name: 'json',
    plan: () => planWith({ format: 'json' }),
    seeds: () => JSON_SEEDS,
    words: [...JSON_WORDS, ...NUMBERS],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'json-samples',
    plan: () =>
      planWith({ format: 'json', samplesPath: ['data'], timeFormat: 'iso8601', timePath: ['t'] }),
    seeds: () =>
      text(
        '{"id":1,"data":[{"t":"2026-08-01T12:00:00Z","value":1},null,{"t":"2026-08-01 12:00:01","on":false}]}',
      ),
    words: [...JSON_WORDS, ...NUMBERS, ...text('"data":[', '"t":', '+02:00', '2026-02-29')],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'protobuf',
    plan: () => planWith({}),
    seeds: () => [
      encodeTelemetry({
        samples: [
          { timeMs: 1_790_000_000_000, readings: [{ metric: 1, number: 1.5 }] },
          {
            readings: [
              { name: 'count', integer: -3n },
              { metric: 3, boolean: true },
            ],
          },
        ],
        bootId: 7n,
        sequence: 9n,
      }),
    ],
    words: [
      ...text('\x0a', '\x12', '\x08', '\x0d', '\x10', '\x18', '\x1a', '\x20', '\x2a\x05count'),
      ...text('\x32\x04auto', '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01', '\x80\x80\x80\x80\x10'),
    ],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'senml-json',
    plan: () => planWith({ format: 'senml-json', metrics: SENML_METRICS }),
    seeds: () =>
      text(
        '[{"bn":"urn:dev:ow:1:","bt":1.7e9,"bu":"Cel","n":"value","v":21.5},{"n":"count","u":"1","v":3,"t":1}]',
        '[{"n":"on","vb":true,"t":-5},{"n":"mode","vs":"auto","ut":60},{"n":"x","vd":"aGk"},{"n":"y","s":1}]',
      ),
    words: [
      ...JSON_WORDS,
      ...NUMBERS,
      ...text('"bn":"', '"bt":', '"bv":', '"bs":', '"bu":"', '"bver":', '"n":"value"', '"v":'),
      ...text('"vs":"', '"vb":true', '"vd":"', '"s":', '"t":', '"ut":', '"u":"Cel"', '"must_":1'),
    ],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'senml-cbor',
    plan: () => planWith({ format: 'senml-cbor', metrics: SENML_METRICS }),
    seeds: () =>
      [
        [
          { '-2': 'urn:dev:ow:1:', '-3': 1.7e9, '-4': 'Cel', 0: 'value', 2: 21.5 },
          { 0: 'count', 1: '1', 2: 3, 6: 1 },
        ],
        [
          { 0: 'on', 4: true, 6: -5 },
          { 0: 'mode', 3: 'auto', 7: 60 },
          { 0: 'x', 8: Buffer.from('hi') },
          { 0: 'y', 5: 1 },
        ],
      ].map((pack) => encodeCbor(pack.map(labelled))),
    words: [
      ...text('\x9f', '\xbf', '\xff', '\x81\xa2\x00', '\xfb\x40\x35\x80\x00\x00\x00\x00\x00'),
      ...text(
        '\xf9\x3c\x00',
        '\xfa\x41\xac\x00\x00',
        '\x1b\xff\xff\xff\xff\xff\xff\xff\xff',
        '\x65value',
      ),
      ...text('\x7f', '\x5f', '\xc1', '\xf5', '\xf6', '\x21', '\x22', '\x3b\x00\x00'),
    ],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'protobuf-message',
    plan: messagePlan,
    seeds: () => [messageSeed()],
    words: [
      ...text(
        '\x0a',
        '\x12',
        '\x08',
        '\x0d',
        '\x10',
        '\x19',
        '\x1a',
        '\x22',
        '\x2a',
        '\x32',
        '\x3a',
        '\x42',
      ),
      ...text(
        '\x0b',
        '\x0c',
        '\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
        '\x80\x80\x80\x80\x10',
        '\x01c',
      ),
    ],
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
  {
    name: 'sparkplug',
    plan: () => planWith({ format: 'sparkplug', metrics: SPARKPLUG_METRICS }),
    seeds: () => SPARKPLUG_VALUES.map((value) => sparkplug(value)),
    words: [
      ...text(
        '\x12',
        '\x0a\x05value',
        '\x10\x01',
        '\x10\x02',
        '\x20\x09',
        '\x20\x0a',
        '\x38\x01',
        '\x28\x01',
      ),
      ...text(
        '\x50\x01',
        '\x58\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01',
        '\x65',
        '\x69',
        '\x70\x01',
        '\x7a\x04auto',
      ),
      ...text('\x18\xff\x01', '\x08\x80\x80\x80\x80\x10', '\x0b', '\x0c'),
    ],
    kinds: [
      '',
      'NBIRTH',
      'NDATA',
      'DBIRTH/dev',
      'DDATA/dev',
      'NDEATH',
      'DDEATH/dev',
      'NCMD',
      'x/y/z',
    ],
    aliases: ALIASES,
  },
  {
    name: 'avro',
    plan: avroPlan,
    seeds: () => [avroSeed()],
    words: text(
      '\x00',
      '\x01',
      '\x02',
      '\x03',
      '\x0a',
      '\xff\xff\xff\xff\x0f',
      '\x08auto',
      '\x80\x01',
    ),
    kinds: NO_KIND,
    aliases: NO_ALIASES,
  },
];
