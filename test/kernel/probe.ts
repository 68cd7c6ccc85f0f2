/**
 * The decode half of the kernel alone. In: a plan and payloads. Out: what the kernel decoded, as
 * plain objects. The payload ends where the memory ends, so that reading behind it traps, and
 * guard bytes around the output must stay as they are.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import { KIND_TEXT } from '../../assembly/shared/abi.ts';
import { OK } from '../../assembly/shared/status.ts';
import { assert } from '../../src/base/assert.ts';
import { type KernelMemory, type KernelModule, webAssembly } from '../../src/kernel/binary.ts';
import { planImage } from '../../src/kernel/image/plan-image.ts';
import type { Plan } from '../../src/model/plan.ts';

export type Target = 'release' | 'scalar' | 'debug';

interface Exports {
  decodeRecord(...places: number[]): void;
  decodeList(...places: number[]): number;
  decodedBytes(): number;
  decodeAll(...places: [plan: number, channel: number, ...rest: number[]]): number;
  aliasListAt(out: number): number;
  powersOfFive(): number;
  nameHash(at: number, bytes: number): number;
  planMagicOk(plan: number): number;
  planChannelById(plan: number, id: number): number;
  planFindChannel(plan: number, at: number, bytes: number): number;
  planDeviceAllowed(plan: number, identity: number): number;
  planStatusText(plan: number, status: number): number;
  planStatusTextBytes(plan: number, status: number): number;
  planTableColumn(plan: number, table: number, column: number): number;
  planTableColumnBytes(plan: number, table: number, column: number): number;
  planTableColumnCount(plan: number, table: number): number;
  channelProgram(channel: number): number;
  findName(program: number, at: number, bytes: number): number;
  channelTable(channel: number): number;
  windowTable(channel: number, index: number): number;
  findMetric(channel: number, at: number, bytes: number): number;
  metricOrdinal(metric: number): number;
}

/** As assembly/decode/alias-list.ts lays it out. */
export interface AliasEntry {
  readonly alias: bigint;
  readonly ordinal: number;
  readonly dataType: number;
  readonly channel: number;
  readonly space: number;
}

export interface DecodedReading {
  readonly ordinal: number;
  readonly status: number;
  readonly offset: number;
  readonly kind: number;
  /** 0 for a text. */
  readonly bits: bigint;
  /** Null for what is no accepted text. */
  readonly text: string | null;
}

export interface DecodedSample {
  readonly eventTimeMs: bigint | null;
  readonly status: number;
  readonly offset: number;
  readonly timeOffset: number;
  readonly metric: number;
  /** Promised by the device; 0 = nothing. */
  readonly expectMs: number;
  readonly historical: boolean;
  readonly readings: readonly DecodedReading[];
}

export interface DecodedRecord {
  readonly status: number;
  readonly offset: number;
  readonly key: string;
  readonly samples: readonly DecodedSample[];
}

const ROOT = new URL('../../', import.meta.url.replace('/build/test/', '/test/'));
const PAGES = 96;
const PLAN_AT = 65536;
const OUT_AT = 2 * 1024 * 1024;
/** Zeros: nothing known besides the payload. */
const SITUATION_AT = OUT_AT - 8192;
const LIST_AT = 1024 * 1024;
const ALIASES_AT = 3 * 1024 * 1024;
const KIND_AT = ALIASES_AT - 4096;
const GUARD_BYTES = 4096;
const GUARD = 0xa5;
const GUARDS = Buffer.alloc(GUARD_BYTES, GUARD);
export const NO_ORDINAL = 0xffffffff;

/** Decoders may read a little behind a payload, never use it. */
const CORPUS_TAIL_BYTES = 64;

export interface Corpus {
  readonly at: number;
  readonly count: number;
}

const compiled = new Map<Target, Promise<KernelModule>>();

/** Compiles with the flags of asconfig.json, once per process and target. */
async function compile(target: Target): Promise<KernelModule> {
  const config = JSON.parse(readFileSync(new URL('asconfig.json', ROOT), 'utf8'));
  const { outFile: _, textFile: __, sourceMap: ___, ...own } = config.targets[target];
  const flags = Object.entries({ ...config.options, ...own }).flatMap(([name, value]) =>
    value === true ? [`--${name}`] : [`--${name}`, String(value)],
  );
  const outFile = `build/kernel/decode-probe-${target}.wasm`;
  mkdirSync(new URL('build/kernel/', ROOT), { recursive: true });
  const base = ['--baseDir', new URL('.', ROOT).pathname, '--config', 'none'];
  const entry = ['assembly/decode/probe.ts', '--outFile', outFile];
  const { error, stderr } = await asc.main([...entry, ...base, ...flags]);
  assert(error === null, `the probe compiles: ${stderr.toString()}`);
  return new webAssembly.Module(readFileSync(new URL(outFile, ROOT)));
}

export class Probe {
  readonly kernel: Exports;
  readonly memory: KernelMemory;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  static async open(plan: Plan, target: Target = 'release'): Promise<Probe> {
    let module = compiled.get(target);
    if (module === undefined) {
      module = compile(target);
      compiled.set(target, module);
    }
    return new Probe(await module, plan);
  }

  private constructor(module: KernelModule, plan: Plan) {
    this.memory = new webAssembly.Memory({ initial: PAGES, maximum: 65536, shared: true });
    const abort = (): never => {
      throw new Error('the kernel aborted');
    };
    const imports = { env: { memory: this.memory, abort } };
    const instance = new webAssembly.Instance(module, imports);
    this.kernel = instance.exports as unknown as Exports;
    this.#bytes = new Uint8Array(this.memory.buffer);
    this.#view = new DataView(this.memory.buffer);
    this.use(plan);
  }

  /** Puts another plan in the place of the one before. */
  use(plan: Plan): void {
    const image = planImage(plan);
    assert(PLAN_AT + image.byteLength < SITUATION_AT, 'the plan fits the probe');
    this.#bytes.set(image, PLAN_AT);
    assert(this.kernel.planMagicOk(PLAN_AT), 'the kernel knows the image');
  }

  /** Puts payloads one behind the other, memory grown for them; for `decodeAll`. */
  putCorpus(payloads: readonly Uint8Array[]): Corpus {
    const parts = payloads.flatMap((payload) => {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(payload.byteLength);
      return [head, payload, Buffer.alloc(-payload.byteLength & 3)];
    });
    const bytes = Buffer.concat([...parts, Buffer.alloc(CORPUS_TAIL_BYTES)]);
    const at = this.memory.buffer.byteLength;
    const grown = this.memory as KernelMemory & { grow(pages: number): number };
    grown.grow(Math.ceil(bytes.byteLength / 65536));
    new Uint8Array(this.memory.buffer).set(bytes, at);
    return { at, count: payloads.length };
  }

  /** Hash of all that is good in a corpus (assembly/decode/probe.ts). */
  decodeAll({ at, count }: Corpus, channelId = 1): number {
    const channel = this.kernel.planChannelById(PLAN_AT, channelId);
    return this.kernel.decodeAll(PLAN_AT, channel, at, count, OUT_AT, SITUATION_AT);
  }

  get plan(): number {
    return PLAN_AT;
  }

  /** What the records to come are received at; 0 at first. */
  receive(receivedMs: number): void {
    this.#view.setBigInt64(SITUATION_AT, BigInt(receivedMs), true);
  }

  /** What the records to come are, and what their device remembers. */
  situate(kind: string, aliases: readonly AliasEntry[]): void {
    const text = Buffer.from(kind);
    this.#bytes.set(text, KIND_AT);
    const view = this.#view;
    view.setUint32(SITUATION_AT + 8, text.length === 0 ? 0 : KIND_AT, true);
    view.setUint32(SITUATION_AT + 12, text.length, true);
    view.setUint32(SITUATION_AT + 16, aliases.length === 0 ? 0 : ALIASES_AT, true);
    view.setUint32(SITUATION_AT + 20, aliases.length, true);
    aliases.forEach((entry, i) => {
      const at = ALIASES_AT + i * 24;
      view.setBigUint64(at, entry.alias, true);
      view.setUint32(at + 8, entry.ordinal, true);
      view.setUint32(at + 12, entry.dataType, true);
      view.setUint32(at + 16, entry.channel, true);
      view.setUint32(at + 20, entry.space, true);
    });
  }

  /** What the record decoded last says beyond samples. */
  spark(): { flags: number; sequence: number; space: number; aliases: AliasEntry[] } {
    const view = this.#view;
    const list = this.kernel.aliasListAt(OUT_AT);
    const aliases = Array.from({ length: view.getUint32(list, true) }, (_, i): AliasEntry => {
      const at = list + 8 + i * 24;
      return {
        ...{ alias: view.getBigUint64(at, true), ordinal: view.getUint32(at + 8, true) },
        ...{ dataType: view.getUint32(at + 12, true), channel: view.getUint32(at + 16, true) },
        space: view.getUint32(at + 20, true),
      };
    });
    return {
      ...{ flags: view.getUint32(OUT_AT + 44, true), sequence: view.getUint32(OUT_AT + 48, true) },
      ...{ space: view.getUint32(list + 4, true), aliases },
    };
  }

  /** Puts bytes at the very end of memory; gives their address. */
  put(bytes: Uint8Array): number {
    const at = this.#bytes.length - bytes.byteLength;
    this.#bytes.set(bytes, at);
    return at;
  }

  text(at: number, bytes: number): string {
    return Buffer.from(this.#bytes.slice(at, at + bytes)).toString();
  }

  decode(payload: Uint8Array | string, channelId = 1): DecodedRecord {
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload;
    const channel = this.kernel.planChannelById(PLAN_AT, channelId);
    assert(channel !== 0, `channel ${channelId} is in the plan`);
    const end = OUT_AT + this.kernel.decodedBytes();
    this.#bytes.fill(GUARD, OUT_AT - GUARD_BYTES, OUT_AT);
    this.#bytes.fill(GUARD, end, end + GUARD_BYTES);
    const at = this.put(bytes);
    this.kernel.decodeRecord(PLAN_AT, channel, at, bytes.byteLength, OUT_AT, SITUATION_AT);
    const isGuard = (from: number): boolean =>
      GUARDS.equals(this.#bytes.subarray(from, from + GUARD_BYTES));
    assert(isGuard(OUT_AT - GUARD_BYTES) && isGuard(end), 'the decoder stays inside its output');
    return this.#record();
  }

  /** Processor nanoseconds per payload, all of them in turn. */
  price(payloads: readonly (Uint8Array | string)[], rounds: number, channelId = 1): number {
    const channel = this.kernel.planChannelById(PLAN_AT, channelId);
    let at = OUT_AT + this.kernel.decodedBytes() + GUARD_BYTES + payloads.length * 8;
    payloads.forEach((payload, i) => {
      const bytes = Buffer.from(payload);
      this.#bytes.set(bytes, at);
      this.#view.setUint32(LIST_AT + i * 8, at, true);
      this.#view.setUint32(LIST_AT + i * 8 + 4, bytes.length, true);
      at += (bytes.length + 15) & -8;
    });
    assert(at <= this.#bytes.length, 'the payloads fit the probe');
    const { kernel } = this;
    const run = (times: number) =>
      kernel.decodeList(PLAN_AT, channel, LIST_AT, payloads.length, times, OUT_AT, SITUATION_AT);
    const before = process.cpuUsage();
    assert(run(rounds) === payloads.length * rounds, 'every payload is readable');
    const { user, system } = process.cpuUsage(before);
    return ((user + system) * 1000) / (payloads.length * rounds);
  }

  #record(): DecodedRecord {
    const view = this.#view;
    const samples: DecodedSample[] = [];
    for (let i = 0; i < view.getUint32(OUT_AT + 20, true); i++) samples.push(this.#sample(i));
    return {
      status: view.getInt32(OUT_AT, true),
      offset: view.getUint32(OUT_AT + 4, true),
      key: this.#key(),
      samples,
    };
  }

  #key(): string {
    const view = this.#view;
    const kind = view.getUint32(OUT_AT + 8, true);
    if (kind === 0) return '';
    if (kind === 1) {
      const at = view.getUint32(OUT_AT + 16, true);
      const bytes = this.#bytes.slice(at, at + view.getUint32(OUT_AT + 12, true));
      return `id ${Buffer.from(bytes).toString('latin1')}`;
    }
    return `boot ${view.getBigUint64(OUT_AT + 24, true)}/${view.getBigUint64(OUT_AT + 32, true)}`;
  }

  #sample(index: number): DecodedSample {
    const view = this.#view;
    const at = OUT_AT + 64 + index * 48;
    const first = view.getUint32(at + 24, true);
    const count = view.getUint32(at + 28, true);
    return {
      eventTimeMs: view.getUint32(at + 8, true) === 1 ? view.getBigInt64(at, true) : null,
      status: view.getInt32(at + 12, true),
      offset: view.getUint32(at + 16, true),
      metric: view.getUint32(at + 20, true),
      timeOffset: view.getUint32(at + 32, true),
      expectMs: view.getUint32(at + 40, true),
      historical: (view.getUint32(at + 36, true) & 1) !== 0,
      readings: Array.from({ length: count }, (_, i) => this.#reading(first + i)),
    };
  }

  #reading(index: number): DecodedReading {
    const view = this.#view;
    const at = OUT_AT + 64 + 4096 * 48 + index * 24;
    const status = view.getInt32(at + 4, true);
    const kind = view.getUint32(at + 12, true);
    const isText = kind === KIND_TEXT && status === OK;
    return {
      ...{ ordinal: view.getUint32(at, true), status, offset: view.getUint32(at + 8, true), kind },
      bits: isText ? 0n : view.getBigUint64(at + 16, true),
      text: isText ? this.text(view.getUint32(at + 16, true), view.getUint32(at + 20, true)) : null,
    };
  }
}
