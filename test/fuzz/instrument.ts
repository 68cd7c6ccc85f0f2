/**
 * Makes a compiled module tell where it has been. In: the text of a module, as asc prints it (flat
 * instructions, one to a line). Out: a binary in which every branch, loop and end of a block adds
 * one to a byte of its own in memory, and every turn of a loop takes one from a counter: when that
 * is used up the module traps, so that "returns in time" is a property that can be checked.
 *
 * The inserted instructions take nothing from the stack and leave nothing on it: they are valid
 * between any two others.
 */
import binaryen from 'binaryen';

export interface Instrumented {
  readonly binary: Uint8Array;
  /** Bytes of the map, one per place. */
  readonly places: number;
}

export interface Places {
  /** Address of the map. */
  readonly mapAt: number;
  /** Address of an i32: turns of loops that are left. */
  readonly fuelAt: number;
}

const BRANCH = /^\s*(if|else|block|loop|end)\b/;
const LOOP = /^\s*loop\b/;
/** A function's first line: after its locals and before its first instruction. */
const FUNCTION = /^ \(func /;
const HEAD = /^ {2}\((local|param|result|export|type) /;

export function instrument(text: string, places: Places): Instrumented {
  const lines: string[] = [];
  let count = 0;
  let inHead = false;
  for (const line of text.split('\n')) {
    if (inHead && !HEAD.test(line)) {
      inHead = false;
      lines.push(countAt(places.mapAt + count++));
    }
    lines.push(line);
    if (FUNCTION.test(line)) inHead = true;
    else if (BRANCH.test(line)) {
      if (LOOP.test(line)) lines.push(burnAt(places.fuelAt));
      lines.push(countAt(places.mapAt + count++));
    }
  }
  const module = binaryen.parseText(lines.join('\n'));
  module.setFeatures(binaryen.Features.All);
  const binary = module.emitBinary();
  module.dispose();
  return { binary, places: count };
}

const countAt = (address: number): string =>
  [
    `i32.const ${address}`,
    `i32.const ${address}`,
    'i32.load8_u',
    'i32.const 1',
    'i32.add',
    'i32.store8',
  ].join('\n');

const burnAt = (address: number): string =>
  [
    `i32.const ${address}`,
    `i32.const ${address}`,
    'i32.load',
    'i32.const 1',
    'i32.sub',
    'i32.store',
    `i32.const ${address}`,
    'i32.load',
    'i32.const 0',
    'i32.lt_s',
    'if',
    'unreachable',
    'end',
  ].join('\n');
