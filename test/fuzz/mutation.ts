/**
 * New inputs from old ones. In: an input that reached something new, another one, words of the
 * format. Out: bytes of at most `bytesMax`, changed in one to a few places, as seeds decide.
 */
import type { Random } from '../kernel/random.ts';

export interface Material {
  readonly input: Uint8Array;
  readonly other: Uint8Array;
  /** Tokens and values at which the format turns. */
  readonly words: readonly Uint8Array[];
  readonly bytesMax: number;
}

const STEPS_MAX = 6;
const RUN_MAX = 32;
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x22, 0x5c, 0x2d, 0x30, 0x39, 0x20, 0x7b, 0x5b, 0xf4, 0xed];

export function mutated(random: Random, material: Material): Uint8Array {
  let bytes = material.input;
  const steps = 1 << random.int(0, 3);
  for (let step = 0; step < Math.min(steps, STEPS_MAX); step++) {
    bytes = changed(random, bytes, material);
  }
  return bytes.length > material.bytesMax ? bytes.slice(0, material.bytesMax) : bytes;
}

function changed(random: Random, bytes: Uint8Array, material: Material): Uint8Array {
  const at = random.int(0, bytes.length);
  const run = Math.min(random.int(1, RUN_MAX), bytes.length - at);
  switch (random.int(0, 9)) {
    case 0:
      return patched(bytes, at, (byte) => byte ^ (1 << random.int(0, 7)));
    case 1:
      return patched(bytes, at, () => random.pick(EDGES));
    case 2:
      return patched(bytes, at, (byte) => byte + random.int(-4, 4));
    case 3:
      return spliced(bytes, at, run, new Uint8Array(0));
    case 4:
      return spliced(bytes, at, 0, random.bytes(random.int(1, 8)));
    case 5:
      return spliced(bytes, at, 0, random.pick(material.words));
    case 6:
      return spliced(bytes, at, run, random.pick(material.words));
    case 7:
      return spliced(bytes, at, 0, bytes.slice(at, at + run));
    case 8:
      return bytes.slice(0, at);
    default:
      return crossed(random, bytes, at, material.other);
  }
}

function patched(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (at >= bytes.length) return bytes;
  const copy = bytes.slice();
  copy[at] = change(copy[at]!);
  return copy;
}

function spliced(bytes: Uint8Array, at: number, gone: number, come: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), come, bytes.subarray(at + gone)]);
}

function crossed(random: Random, bytes: Uint8Array, at: number, other: Uint8Array): Uint8Array {
  const from = random.int(0, other.length);
  return Buffer.concat([bytes.subarray(0, at), other.subarray(from)]);
}
