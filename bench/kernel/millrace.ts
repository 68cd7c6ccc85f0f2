/**
 * The kernel as a subject: its binary, called turn by turn as src/kernel/partition.ts does. Chunks
 * lie in its memory, where a reader lands them; finished blocks stay where they are (peers' rows
 * become no bytes at all). In: build and plan.
 */
import { CHUNK_BYTES_MAX } from '../../assembly/shared/abi.ts';
import * as C from '../../assembly/shared/control.ts';
import {
  createMemory,
  instantiate,
  type KernelBuild,
  type KernelExports,
  type KernelMemory,
  loadKernel,
} from '../../src/kernel/binary.ts';
import { planImage } from '../../src/kernel/image/plan-image.ts';
import { type Names, namesOf, OutputReader } from '../../src/kernel/output.ts';
import type { Plan } from '../../src/model/plan.ts';
import type { Group } from './corpus.ts';
import { PARTITION } from './shape.ts';
import { ResultHash, type Subject, type Watch } from './subject.ts';

const PAGE_BYTES = 65_536;
const GENERATION = 1;
const EMPTY_PLAN = {
  ...{ version: 1, log: 'bench', partitions: 1, channels: [], devicesAllowed: null },
  ...{ devicesMax: 0, idsPerDevice: 1, dedupHorizonMs: 0, deadLettersPerDeviceMinute: 100 },
  ...{
    deadLetterRetentionMs: 0,
    shadowIntervalMs: 0,
    publishShadows: true,
    contentsPerDevice: 1,
    textsMax: 1,
  },
  ...{ quality: false, qualityRetentionMs: 0, alertRetentionMs: 0 },
} as Plan;

export interface MillraceOptions {
  readonly name: string;
  readonly build: KernelBuild;
  readonly plan: Plan;
  readonly memoryBytes: number;
}

export class Millrace implements Subject {
  readonly name: string;
  readonly result = new ResultHash();
  readonly #options: MillraceOptions;
  readonly #memory: KernelMemory;
  readonly #kernel: KernelExports;
  readonly #view: DataView;
  readonly #outside: number;
  #names: Names;
  #region = 0;

  constructor(options: MillraceOptions) {
    this.name = options.name;
    this.#options = options;
    const pages = Math.floor(options.memoryBytes / PAGE_BYTES);
    this.#memory = createMemory(pages);
    this.#view = new DataView(this.#memory.buffer);
    this.#kernel = instantiate(loadKernel(options.build), this.#memory);
    const opened = this.#kernel.open(pages * PAGE_BYTES, PARTITION, GENERATION);
    if (opened !== C.RESULT_DONE) throw new Error(`the kernel does not open: ${opened}`);
    this.#outside = pages * PAGE_BYTES - this.#control(C.CONTROL_POOL_BYTES_AT);
    this.#names = this.#usePlan(EMPTY_PLAN, '');
  }

  run(group: Group, watch: Watch): void {
    for (const { bytes } of group.chunks) {
      this.#region = 1 - this.#region;
      const at = this.#control(C.CONTROL_INPUT_AT) + this.#region * CHUNK_BYTES_MAX;
      // Delivery: left out, as the peers find their messages ready too.
      new Uint8Array(this.#memory.buffer, at, bytes.length).set(bytes);
      let code = watch.measure(() => this.#kernel.turn(this.#region, bytes.length));
      for (;;) {
        this.#hash();
        if (code === C.RESULT_DONE) break;
        if (code === C.RESULT_PLAN) {
          this.#names = this.#usePlan(this.#options.plan, JSON.stringify(this.#options.plan));
        } else if (code !== C.RESULT_MORE) throw new Error(`a turn ended with code ${code}`);
        code = watch.measure(() => this.#kernel.resume());
      }
    }
  }

  stateBytes(): number {
    return this.#outside + this.#control(C.CONTROL_POOL_USED_AT);
  }

  #hash(): void {
    const names = this.#names;
    const options = { memory: this.#memory, names, partition: PARTITION, generation: GENERATION };
    if (this.#control(C.CONTROL_FACT_AT) === 0) return;
    for (const fact of new OutputReader(options).facts()) {
      if (fact.kind !== 'window') continue;
      const { tenant, site, device } = fact.identity;
      for (const aggregate of fact.metrics) {
        const key = `${tenant}/${site}/${device} ${fact.window} ${fact.windowStartMs}`;
        this.result.add(`${key} ${aggregate.metric}`, aggregate);
      }
    }
  }

  #usePlan(plan: Plan, planText: string): Names {
    const image = planImage(plan);
    const text = Buffer.from(planText);
    const at = this.#kernel.plan_room(image.length + text.length);
    const room = new Uint8Array(this.#memory.buffer, at, image.length + text.length);
    room.set(image);
    room.set(text, image.length);
    this.#kernel.plan_use(at, image.length, text.length);
    return namesOf(plan);
  }

  #control(at: number): number {
    return this.#view.getUint32(C.STATE_BASE + at, true);
  }
}
