/**
 * SenML in JSON (RFC 8428 §5) for the reference. In: payload bytes. Out: samples by senml.ts.
 */
import type { PlanChannel } from '../../../src/model/plan.ts';
import type { Sample, Situation } from './decode.ts';
import { type Node, readJson } from './json.ts';
import { isWellFormed } from './json-payload.ts';
import { Malformed } from './protobuf.ts';
import { resolvePack, type SenmlNumber, type SenmlRecord, type SenmlValue } from './senml.ts';

export function decodeSenmlJson(
  payload: Uint8Array,
  channel: PlanChannel,
  situation: Situation,
): readonly Sample[] {
  let samples: readonly Sample[] = [];
  readJson(
    payload,
    () => false,
    (root) => {
      samples = resolvePack(recordsOf(root), channel, situation);
    },
  );
  return samples;
}

/** Elements that are no record are refused where they come: after what is wrong before them. */
function* recordsOf(root: Node): Generator<SenmlRecord> {
  if (root.kind !== 'array' || root.elements.length === 0) throw new Malformed(root.start);
  for (const { kind, start, entries } of root.elements) {
    if (kind !== 'object') throw new Malformed(start);
    const fields = entries.map(({ key, keyAt, node }) => ({
      ...{ label: key, labelAt: keyAt, value: senmlValue(node), valueAt: node.start },
    }));
    yield { at: start, fields };
  }
}

function senmlValue(node: Node): SenmlValue {
  if (node.kind === 'boolean') return { kind: 'boolean', value: node.value as boolean };
  if (node.kind === 'number') return { kind: 'number', number: numberOf(node.text) };
  if (node.kind !== 'string') return { kind: 'other' };
  const text = node.value as string;
  // Three bytes for half a pair: it is no character of a name or a unit either way.
  return { kind: 'text', bytes: Buffer.from(text), isWellFormed: isWellFormed(text) };
}

function numberOf(text: string): SenmlNumber {
  const integer = /^-?[0-9]+$/.test(text) && !/^-0+$/.test(text) ? BigInt(text) : null;
  const isInt64 = integer !== null && BigInt.asIntN(64, integer) === integer;
  return { double: Number(text), integer: isInt64 ? integer : null, attos: attosOf(text) };
}

/** Beyond 10^30 s, and below 10^-30 s, only the sign counts. */
const POWER_MAX = 30;

function attosOf(text: string): bigint {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(text)!;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  if (digits === '') return 0n;
  const power = Number(exponent) - fraction.length;
  const isNegative = sign === '-';
  if (power + digits.length > POWER_MAX) return isNegative ? -(10n ** 48n) : 10n ** 48n;
  if (power + digits.length < -POWER_MAX) return isNegative ? -1n : 0n;
  const kept = power + 18;
  const value = BigInt(digits) * 10n ** BigInt(Math.max(kept, 0)) * (isNegative ? -1n : 1n);
  const by = 10n ** BigInt(Math.max(-kept, 0));
  return value / by - (value % by < 0n ? 1n : 0n);
}
