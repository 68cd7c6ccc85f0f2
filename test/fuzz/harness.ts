/**
 * One decoder under attack. In: a plan and payloads, any bytes. Out: what it reached, or why it is
 * broken: a trap, an assertion, a loop without end, a byte written outside its output.
 *
 *   module data │ plan │ situation │ map of places │ guard │ output │ guard │ … │ payload ┤ end
 *
 * The payload ends where memory ends: reading behind it traps. Loops may turn TURNS_PER_BYTE times
 * per byte of input: time linear in the input.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import asc from 'assemblyscript/asc';
import * as L from '../../assembly/shared/plan-layout.ts';
import { assert } from '../../src/base/assert.ts';
import { projectFolder } from '../../src/base/project.ts';
import { type KernelMemory, type KernelModule, webAssembly } from '../../src/kernel/binary.ts';
import { planImage } from '../../src/kernel/image/plan-image.ts';
import type { Plan } from '../../src/model/plan.ts';
import { type Instrumented, instrument } from './instrument.ts';

export interface Attack {
  readonly payload: Uint8Array;
  /** What the transport says of it; '' nothing. */
  readonly kind: string;
}

const PAGES = 128;
const PLAN_AT = 0x10000;
const SITUATION_AT = 0x0f0000;
const KIND_AT = SITUATION_AT + 64;
const ALIASES_AT = SITUATION_AT + 1024;
const FUEL_AT = 0x100000;
const MAP_AT = 0x100010;
const MAP_BYTES_MAX = 0x10000;
const OUT_AT = 0x200000;
const GUARD_BYTES = 4096;
const GUARD = 0xa5;
/** Turns of loops: a base for what does not depend on the input, and so many per byte of it. */
export const TURNS_BASE = 20_000;
export const TURNS_PER_BYTE = 64;
const ALIAS_BYTES = 24;
const RECEIVED_MS = 1_790_000_000_000n;

interface Exports {
  decodeRecord(
    ...places: [plan: number, channel: number, payload: number, bytes: number, ...rest: number[]]
  ): void;
  decodedBytes(): number;
  planChannelById(plan: number, id: number): number;
}

const FLAGS = [
  ...['--config', 'none', '--runtime', 'stub', '--importMemory', '--sharedMemory'],
  ...['--zeroFilledMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--memoryBase', '1024', '--optimizeLevel', '2', '--enable', 'simd', '--enable', 'threads'],
];

/** Compiles the decoders with assertions kept, and with a map of where they have been. */
export async function compileDecoders(): Promise<Instrumented> {
  const base = ['--baseDir', projectFolder(), 'assembly/decode/probe.ts'];
  let text = '';
  const keep = {
    writeFile: (_name: string, content: unknown) => {
      text = String(content);
    },
  };
  const { error, stderr } = await asc.main([...base, '--textFile', 'fuzz.wat', ...FLAGS], keep);
  assert(error === null, `the decoders compile: ${stderr.toString()}`);
  const made = instrument(text, { mapAt: MAP_AT, fuelAt: FUEL_AT });
  assert(made.places <= MAP_BYTES_MAX, `a map of ${made.places} places fits`);
  return made;
}

export class Harness {
  readonly #kernel: Exports;
  readonly #memory: KernelMemory;
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #places: number;
  readonly #channel: number;
  readonly #end: number;
  readonly #guard = Buffer.alloc(GUARD_BYTES, GUARD);
  /** What must stay as it is: plan and situation. */
  readonly #fixed: Buffer;
  readonly #expectations: readonly number[];

  constructor(made: Instrumented, plan: Plan, aliases: Uint8Array) {
    this.#memory = new webAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
    const module: KernelModule = new webAssembly.Module(made.binary);
    const abort = (_message: number, _file: number, line: number, column: number): never => {
      throw new Error(`assertion at line ${line}:${column}`);
    };
    const imports = { env: { memory: this.#memory, abort } };
    this.#kernel = new webAssembly.Instance(module, imports).exports as unknown as Exports;
    this.#bytes = Buffer.from(this.#memory.buffer);
    this.#view = new DataView(this.#memory.buffer);
    this.#places = made.places;
    const image = planImage(plan);
    assert(PLAN_AT + image.byteLength < SITUATION_AT, 'the plan fits');
    this.#bytes.set(image, PLAN_AT);
    this.#bytes.set(aliases, ALIASES_AT);
    this.#view.setUint32(SITUATION_AT + 16, ALIASES_AT, true);
    this.#view.setUint32(SITUATION_AT + 20, aliases.byteLength / ALIAS_BYTES, true);
    this.#view.setBigInt64(SITUATION_AT, RECEIVED_MS, true);
    this.#view.setUint32(SITUATION_AT + 8, KIND_AT, true);
    this.#channel = this.#kernel.planChannelById(PLAN_AT, plan.channels[0]!.id);
    assert(this.#channel !== 0, 'the channel is in the plan');
    this.#end = OUT_AT + this.#kernel.decodedBytes();
    this.#guard.copy(this.#bytes, OUT_AT - GUARD_BYTES);
    this.#guard.copy(this.#bytes, this.#end);
    this.#fixed = Buffer.from(this.#bytes.subarray(0, SITUATION_AT));
    const trie = this.#view.getUint32(this.#channel + L.CHANNEL_TRIE_AT, true);
    this.#expectations = trie === 0 ? [] : expectationsOf(this.#view, this.#channel + trie);
  }

  /** Runs one input. Null: it returned as it should; else what is broken. */
  run({ payload, kind }: Attack): string | null {
    this.#bytes.fill(0, MAP_AT, MAP_AT + this.#places);
    this.#view.setUint32(SITUATION_AT + 12, this.#bytes.write(kind, KIND_AT), true);
    this.#view.setInt32(FUEL_AT, TURNS_BASE + TURNS_PER_BYTE * payload.byteLength, true);
    const at = this.#bytes.length - payload.byteLength;
    this.#bytes.set(payload, at);
    try {
      const { byteLength } = payload;
      this.#kernel.decodeRecord(PLAN_AT, this.#channel, at, byteLength, OUT_AT, SITUATION_AT);
    } catch (error) {
      const spent = this.#view.getInt32(FUEL_AT, true) < 0;
      return spent ? 'it loops longer than its input allows' : `it traps: ${error}`;
    }
    return this.#trespass(at, payload);
  }

  #trespass(at: number, payload: Uint8Array): string | null {
    const bytes = this.#bytes;
    if (bytes.compare(this.#guard, 0, GUARD_BYTES, OUT_AT - GUARD_BYTES, OUT_AT) !== 0) {
      return 'it writes in front of its output';
    }
    if (bytes.compare(this.#guard, 0, GUARD_BYTES, this.#end, this.#end + GUARD_BYTES) !== 0) {
      return 'it writes behind its output';
    }
    if (bytes.compare(payload, 0, payload.byteLength, at) !== 0) return 'it changes its payload';
    return null;
  }

  /** True when the plan and the module's data are as they were: dearer, so asked now and then. */
  isIntact(): boolean {
    // Where JSON expects the next member is a memory of the last object, not of the plan.
    for (const at of this.#expectations)
      this.#view.setUint32(at, this.#fixed.readUInt32LE(at), true);
    return this.#bytes.compare(this.#fixed, 0, SITUATION_AT, 0, SITUATION_AT) === 0;
  }

  /** Places reached by the last input: counts, to be read before the next one. */
  get map(): Uint8Array {
    return this.#bytes.subarray(MAP_AT, MAP_AT + this.#places);
  }

  /** Turns of loops that the last input took. */
  turns(bytes: number): number {
    return TURNS_BASE + TURNS_PER_BYTE * bytes - this.#view.getInt32(FUEL_AT, true);
  }
}

/** Addresses of the words that say which member is expected, in a node of the trie and below. */
function expectationsOf(view: DataView, node: number): number[] {
  const found = [node + L.NODE_FIRST_AT];
  const slots = view.getUint32(node + L.NODE_MASK_AT, true) + 1;
  for (let slot = 0; slot < slots; slot++) {
    const offset = view.getUint32(node + L.NODE_SLOTS_AT + slot * 8 + 4, true);
    if (offset === 0) continue;
    const member = node + offset;
    found.push(member + L.MEMBER_NEXT_AT);
    const child = view.getUint32(member + L.MEMBER_CHILD_AT, true);
    if (child !== 0) found.push(...expectationsOf(view, member + child));
  }
  return found;
}

/** Inputs kept from earlier runs, one in base64 to a line. */
export function readCorpus(target: string): Uint8Array[] {
  const path = corpusPath(target);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
}

export function writeCorpus(target: string, inputs: readonly Uint8Array[]): void {
  const lines = [...new Set(inputs.map((input) => Buffer.from(input).toString('base64')))].sort();
  writeFileSync(corpusPath(target), `${lines.join('\n')}\n`);
}

const corpusPath = (target: string): string =>
  join(projectFolder(), 'test', 'fuzz', 'corpus', `${target}.txt`);
