/**
 * Any Protobuf message in the kernel, against the reference with its own reader, and against
 * protobufjs: random schemas, random messages, random damage.
 */
import { expect } from 'chai';
import fc from 'fast-check';
import { byKernel, type Expected, Oracle, SEED, SHARES } from '../decode-oracle.ts';
import { channelOf } from '../plan-sample.ts';
import { Random } from '../random.ts';
import { type Case, randomCase } from './schema-generator.ts';
import {
  damaged,
  encoded,
  merged,
  type Plain,
  randomMessage,
  rearranged,
} from './value-generator.ts';

const SCHEMAS = 420;
const MESSAGES_PER_SCHEMA = 48;

/** Readings of one sample by ordinal, without their places. */
function valuesOf({ samples }: Expected) {
  return (samples ?? []).map(({ timeMs, readings }) => ({
    timeMs,
    readings: readings
      .map(({ ordinal, status, bits, text }) => ({ ordinal, status, bits, text }))
      .sort((left, right) => left.ordinal - right.ordinal),
  }));
}

/** What protobufjs finds at a path: undefined where it has not been said. */
function byProtobufjs(from: unknown, path: readonly string[]): unknown {
  let here = from;
  for (const name of path) {
    if (here === null || typeof here !== 'object') return undefined;
    if (!Object.hasOwn(here, name)) return undefined;
    here = (here as Plain)[name];
  }
  return here;
}

/** The value of a good reading, as JavaScript would print what protobufjs decodes. */
function shownOf({ bits, text }: { bits: bigint; text: string | null }, kind: string): string {
  if (kind === 'text') return String(text);
  if (kind === 'boolean') return String(bits === 1n);
  if (kind === 'integer') return String(BigInt.asIntN(64, bits));
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return String(view.getFloat64(0));
}

const ENUM: Readonly<Record<number, string>> = { 0: 'ZERO', 1: 'ONE', [-7]: 'MINUS', 70000: 'BIG' };

function shownByProtobufjs(said: unknown, kind: string): string {
  if (kind === 'number') return String(Number(String(said)));
  if (kind === 'text' && typeof said === 'number') return ENUM[said] ?? String(said);
  return String(said);
}

for (const { target, share } of SHARES) {
  describe(`Any Protobuf message in the kernel, ${target} build`, () => {
    let oracle: Oracle;
    let compared = 0;
    before(async () => {
      oracle = await Oracle.open(channelOf(1, 'c'), target);
    });

    const forSchemas = (count: number, check: (random: Random, given: Case) => void) =>
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const given = randomCase(random);
          oracle.use(given.channel);
          check(random, given);
        }),
        { seed: SEED, numRuns: Math.ceil(count * share), endOnFailure: true },
      );

    it('reads what protobufjs encodes, rearranged, concatenated, extended and damaged', () =>
      forSchemas(SCHEMAS, (random, { type }) => {
        for (let i = 0; i < MESSAGES_PER_SCHEMA; i += 6) {
          const bytes = encoded(type, randomMessage(random, type));
          const more = encoded(type, randomMessage(random, type));
          oracle.check(bytes);
          oracle.check(rearranged(random, bytes));
          oracle.check(Buffer.concat([bytes, more]));
          oracle.check(damaged(random, bytes));
          oracle.check(damaged(random, bytes));
          oracle.check(damaged(random, rearranged(random, bytes)));
        }
      })).timeout(180_000);

    it('stands an end at every byte', () =>
      forSchemas(60, (random, { type }) => {
        const bytes = encoded(type, randomMessage(random, type));
        const ends = Math.min(bytes.length, 400);
        for (let end = 0; end < ends; end += 1) oracle.check(bytes.subarray(0, end));
      }));

    it('means by two messages in a row what protobufjs encodes of both merged', () =>
      forSchemas(300, (random, { type, channel }) => {
        const [first, second] = [randomMessage(random, type), randomMessage(random, type)];
        const both = Buffer.concat([encoded(type, first), encoded(type, second)]);
        const whole = encoded(type, merged(type, first, second));
        const [left, right] = [both, whole].map((bytes) =>
          byKernel(oracle.probe.decode(bytes, channel.id)),
        );
        expect(left!.status).to.equal(right!.status);
        expect(valuesOf(left!)).to.deep.equal(valuesOf(right!));
      }));

    it('finds at every path what protobufjs decodes there', () => {
      forSchemas(600, (random, { type, channel }) => {
        // In proto2 an enumeration's number without name is no value for protobufjs.
        const given = randomMessage(random, type, { named: true });
        const bytes = rearranged(random, encoded(type, given));
        const decoded = byKernel(oracle.probe.decode(bytes, channel.id));
        const message = type.decode(bytes);
        const list = byProtobufjs(message, channel.samplesPath);
        const samples = channel.samplesPath.length > 0 ? ((list ?? []) as unknown[]) : [message];
        for (const [place, { readings }] of (decoded.samples ?? []).entries()) {
          for (const metric of channel.metrics.filter(({ retired }) => !retired)) {
            const said = byProtobufjs(samples[place], metric.path);
            const reading = readings.find(({ ordinal }) => ordinal === metric.ordinal);
            const isPlain = metric.scale === 1 && metric.offset === 0;
            const shown = reading?.status === 'OK' && isPlain ? shownOf(reading, metric.kind) : '';
            expect(reading !== undefined, metric.path.join('.')).to.equal(said !== undefined);
            if (shown === '') continue;
            expect(shown).to.equal(shownByProtobufjs(said, metric.kind));
            compared += 1;
          }
        }
      });
      expect(compared).to.be.greaterThan(500 * share);
    });

    if (share < 1) return;

    it('saw every status that such a payload can have', () => {
      const records = ['OK', 'PAYLOAD_MALFORMED', 'EVENT_ID_INVALID', 'NO_READINGS'];
      const inside = ['TIME_MALFORMED', 'REQUIRED_MISSING', 'TYPE_MISMATCH', 'NOT_FINITE'];
      const judged = ['OUT_OF_RANGE', 'TEXT_LIMIT', 'NOT_LISTED'];
      expect([...oracle.seen.keys()]).to.have.members([...records, ...inside, ...judged]);
      for (const [name, count] of oracle.seen) expect(count, name).to.be.greaterThan(20);
    });
  });
}
