/**
 * SenML in CBOR (RFC 8428 §6) for the reference. In: payload bytes. Out: samples by senml.ts.
 */
import type { PlanChannel } from '../../../src/model/plan.ts';
import { type Item, readCbor } from './cbor.ts';
import type { Sample, Situation } from './decode.ts';
import { Malformed } from './protobuf.ts';
import { resolvePack, type SenmlNumber, type SenmlRecord, type SenmlValue } from './senml.ts';

/** From −6 on. */
const LABELS = 'bs bv bu bt bn bver n u v vs vb s t ut vd'.split(' ');

export function decodeSenmlCbor(
  payload: Uint8Array,
  channel: PlanChannel,
  situation: Situation,
): readonly Sample[] {
  return resolvePack(recordsOf(readCbor(payload)), channel, situation);
}

/** Elements that are no record are refused where they come: after what is wrong before them. */
function* recordsOf({ at, what }: Item): Generator<SenmlRecord> {
  if (what.kind !== 'array' || what.items.length === 0) throw new Malformed(at);
  for (const item of what.items) {
    if (item.what.kind !== 'map') throw new Malformed(item.at);
    const fields = item.what.entries.map(([key, value]) => {
      const label = labelOf(key);
      return { label, labelAt: key.at, value: rawValueOf(value, label), valueAt: value.at };
    });
    yield { at: item.at, fields };
  }
}

/** One that is neither a number nor a text must be refused like one that must be understood. */
function labelOf({ what }: Item): string {
  if (what.kind === 'text') return Buffer.from(what.bytes).toString();
  if (what.kind !== 'integer') return '_';
  return LABELS[Number(what.integer) + 6] ?? '';
}

function rawValueOf({ what }: Item, label: string): SenmlValue {
  if (what.kind === 'boolean') return { kind: 'boolean', value: what.boolean };
  if (what.kind === 'integer') return { kind: 'number', number: wholeOf(what.integer) };
  if (what.kind === 'float') return { kind: 'number', number: realOf(what.double) };
  const isString = label === 'vd' ? what.kind === 'bytes' : what.kind === 'text';
  if (!isString || !('bytes' in what)) return { kind: 'other' };
  return { kind: 'text', bytes: what.bytes, isWellFormed: true };
}

function wholeOf(integer: bigint): SenmlNumber {
  const isInt64 = BigInt.asIntN(64, integer) === integer;
  const attos = integer * 10n ** 18n;
  return { double: Number(integer), integer: isInt64 ? integer : null, attos };
}

/** What is not finite is beyond all times; what is no number is so below them. */
function realOf(double: number): SenmlNumber {
  if (Number.isNaN(double)) return { double, integer: null, attos: -(10n ** 48n) };
  const bounded = Math.max(Math.min(double, 1e30), -1e30);
  return { double, integer: null, attos: floorOf(bounded) };
}

/** floor(double · 10^18), exactly: every double is a whole number of 2^−1074. */
function floorOf(double: number): bigint {
  let scaled = double;
  let shift = 0n;
  while (!Number.isInteger(scaled)) {
    scaled *= 2;
    shift += 1n;
  }
  // A bigint is shifted to the right as it is divided: floored.
  return (BigInt(scaled) * 10n ** 18n) >> shift;
}
