/**
 * The whole house in one thread: log, records, state store, read model, members, devices, and on
 * them workers with the real runtime. In: a scenario. Out: what was wrong at the end, if anything.
 *
 *   0 … troubleMs    events and faults
 *   then             everything heals; workers that are down come back
 *   until            all is applied, stored and acknowledged, or the house is stuck
 */

import type { TurnOutput } from '../../src/model/doors.ts';
import { createRuntime, type Runtime } from '../../src/runtime/index.ts';
import { createRandom, type Random } from '../../src/sim/random.ts';
import { SimulatedClock, START_MS } from './clock.ts';
import { Fleet } from './fleet.ts';
import { causeIncident } from './incident.ts';
import { SimulatedLog } from './log.ts';
import { SimulatedMembership } from './membership.ts';
import { createModelKernel, type KernelSwitches } from './model-kernel.ts';
import { judge } from './oracle.ts';
import { SimulatedOwnership } from './ownership.ts';
import { SimulatedReadModel } from './read-model.ts';
import { INCIDENTS, type Scenario } from './scenario.ts';
import { Life, Scheduler } from './scheduler.ts';
import { SimulatedStateStore } from './state-store.ts';

/** Far longer than any back-off, pause or time-out of the runtime. */
const STUCK_AFTER_MS = 150_000;
const LOOK_MS = 500;
/** Two ticks and a little: who has something to close by time has said so by then. */
const QUIET_MS = 2_600;

export interface Worker {
  readonly id: string;
  life: Life;
  clock: SimulatedClock;
  runtime: Runtime | null;
  /** Lives so far. */
  lives: number;
}

/** What a mutant changes; nothing else of the house may be changed from outside. */
export interface Mutation {
  readonly switches?: KernelSwitches | ((house: House) => KernelSwitches);
  readonly isSumming?: boolean;
  readonly wire?: (house: House) => void;
  /** Outputs of a kernel before its process gets them. */
  readonly change?: (
    house: House,
    worker: Worker,
    partition: number,
    output: TurnOutput,
  ) => TurnOutput;
  /** The doors of one process, before the runtime gets them. */
  readonly doors?: (house: House, worker: Worker, doors: Doors) => Doors;
}

type Doors = Parameters<typeof createRuntime>[0];

export interface Verdict {
  readonly seed: number;
  readonly violation: string | null;
  readonly events: number;
  readonly points: number;
  readonly virtualMs: number;
  readonly house: House;
}

export class House {
  readonly scenario: Scenario;
  readonly mutation: Mutation;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly log: SimulatedLog;
  readonly ownership: SimulatedOwnership;
  readonly stateStore: SimulatedStateStore;
  readonly readModel: SimulatedReadModel;
  readonly membership: SimulatedMembership;
  readonly fleet: Fleet;
  readonly workers: Worker[] = [];
  readonly troubles: string[] = [];
  isHealed = false;
  #asleepUntilMs = 0;
  #quietSinceMs = 0;
  #quietState = '';
  violation: string | null = null;

  constructor(scenario: Scenario, mutation: Mutation = {}) {
    this.scenario = scenario;
    this.mutation = mutation;
    this.scheduler = new Scheduler(scenario.seed);
    const { scheduler } = this;
    this.random = scheduler.random;
    const violate = (what: string) => this.violate(what);
    this.log = new SimulatedLog(scheduler, {
      partitions: scenario.partitions,
      bytesMax: scenario.logBytesMax,
      chunkMessagesMax: scenario.chunkMessagesMax,
    });
    this.stateStore = new SimulatedStateStore(scheduler);
    const hasObject = (name: string) => this.stateStore.has(name);
    this.ownership = new SimulatedOwnership(scheduler, { violate, hasObject });
    const trueMs = () => START_MS + scheduler.nowMs;
    this.readModel = new SimulatedReadModel({ violate, scheduler, trueMs }, mutation.isSumming);
    this.membership = new SimulatedMembership(scheduler);
    const random = createRandom(scenario.seed ^ 0xf1ee7);
    const appender = (life: Life) => this.log.appender(life);
    this.fleet = new Fleet({ scheduler, random, scenario, appender });
    this.readModel.onLetter = ({ reason, partition, sequence, index }) => {
      if (reason !== 'SKIPPED' || this.ownership.isSkipped(partition, sequence, index)) return;
      violate(`${partition}/${sequence}.${index} was skipped, and is not on the skip list`);
    };
    scheduler.onCrash = (life) => this.#died(life);
    mutation.wire?.(this);
  }

  violate(what: string): void {
    this.violation ??= what;
  }

  async run(): Promise<Verdict> {
    const { scenario, scheduler, log, fleet } = this;
    const body = Buffer.from(JSON.stringify(scenario.plan));
    for (let partition = 0; partition < scenario.partitions; partition += 1) {
      log.append({ kind: 'plan', partition, body });
    }
    for (let number = 0; number < scenario.workers; number += 1) this.#add(`w${number}`);
    scheduler.faults = scenario.calls;
    this.readModel.partial = scenario.partialInserts;
    this.membership.lostHeartbeats = scenario.lostHeartbeats;
    fleet.start();
    this.#planIncidents();
    scheduler.after(scenario.troubleMs, () => this.#heal());
    let isOver = false;
    const look = () => {
      if (this.isHealed && this.#isQuiet()) isOver = true;
      else scheduler.after(LOOK_MS, look);
    };
    scheduler.after(LOOK_MS, look);
    await scheduler.run(() => isOver || this.violation !== null);
    if (this.violation === null) this.violation = this.#judge();
    for (const { life } of this.workers) life.isAlive = false;
    const { seed } = scenario;
    const { events, point, nowMs } = scheduler;
    return {
      ...{ seed, violation: this.violation, events },
      ...{ points: point, virtualMs: nowMs, house: this },
    };
  }

  /** The process is gone with all it held; after a while it is started again. */
  crash(worker: Worker, downMs: number): void {
    worker.life.isAlive = false;
    worker.runtime = null;
    this.scheduler.trace?.(() => `${worker.life.name} is dead`);
    this.scheduler.after(downMs, () => this.startWorker(worker));
  }

  /** Everything sleeps, as a machine whose lid is closed. */
  sleep(durationMs: number): void {
    this.#asleepUntilMs = Math.max(this.#asleepUntilMs, this.scheduler.nowMs + durationMs);
    for (const { life } of this.workers) {
      life.pausedUntilMs = Math.max(life.pausedUntilMs, this.#asleepUntilMs);
    }
  }

  startWorker(worker: Worker): void {
    if (worker.runtime || this.violation) return;
    worker.lives += 1;
    worker.life = new Life(`${worker.id}.${worker.lives}`);
    worker.life.pausedUntilMs = this.#asleepUntilMs;
    worker.clock = new SimulatedClock(this.scheduler, worker.life, this.scenario.coarseMs);
    this.scheduler.trace?.(() => `${worker.life.name} starts`);
    worker.runtime = createRuntime(this.#doors(worker));
    worker.runtime.start();
  }

  #died(life: Life): void {
    const worker = this.workers.find((each) => each.life === life);
    if (worker) this.crash(worker, 100 + this.random.uniform() * 3_000);
    else this.fleet.died(life);
  }

  #add(id: string): void {
    const life = new Life(id);
    const clock = new SimulatedClock(this.scheduler, life, 0);
    const worker: Worker = { id, life, clock, runtime: null, lives: 0 };
    this.workers.push(worker);
    this.startWorker(worker);
  }

  #doors(worker: Worker): Doors {
    const { scenario, scheduler, mutation, random } = this;
    const { id, life, clock, lives } = worker;
    const process = `p${lives}`;
    const { switches = {} } = mutation;
    const doors: Doors = {
      partitions: scenario.partitions,
      kernel: createModelKernel({
        reply: (what, run) =>
          scheduler.call(life, { door: 'kernel', what, isPatient: true, isOrdered: true }, run),
        outputMax: () => 1 + random.integer(scenario.outputMax),
        devicesPerChunk: scenario.devicesPerChunk,
        switches: typeof switches === 'function' ? switches(this) : switches,
        violate: (what) => this.violate(what),
        isDamaged: () => this.stateStore.damaged.size > 0,
        change: (partition, output) =>
          mutation.change?.(this, { ...worker, lives }, partition, output) ?? output,
      }),
      kernelOptions: { log: 'main', memoryBytes: 0 },
      ownership: this.ownership.door(life),
      stateStore: this.stateStore.door(life),
      reader: this.log.reader(life),
      appender: this.log.appender(life),
      purger: this.log.purger(life),
      logRetentionMs: scenario.logRetentionMs,
      blocks: this.readModel.blockSink(life),
      progress: this.readModel.progress(life),
      facts: this.readModel.factSink(life),
      clock,
      owner: `${id}:${process}`,
      semanticsVersion: 1,
      checkpointIntervalMs: scenario.checkpointIntervalMs,
      onTrouble: (partition, error) => {
        this.troubles.push(`${life.name} ${partition}: ${error.code}`);
        scheduler.trace?.(() => `${life.name} partition ${partition}: ${error.message}`);
      },
      company: {
        membership: this.membership.door(id, life, clock),
        self: { id, process, startedAtMs: 0, version: '1', semanticsVersion: 1 },
        standbys: scenario.standbys,
      },
    };
    return mutation.doors?.(this, worker, doors) ?? doors;
  }

  #planIncidents(): void {
    const { scenario, scheduler, random } = this;
    for (const kind of INCIDENTS) {
      for (let each = 0; each < scenario.incidents[kind]; each += 1) {
        scheduler.after(random.uniform() * scenario.troubleMs, () => {
          scheduler.trace?.(() => `incident: ${kind}`);
          causeIncident(this, kind);
        });
      }
    }
    if (scenario.hasPlanChange) {
      scheduler.after(random.uniform() * scenario.troubleMs, () => {
        const plan = { ...scenario.plan, version: 2, scale: 3 };
        const body = Buffer.from(JSON.stringify(plan));
        for (let partition = 0; partition < scenario.partitions; partition += 1) {
          this.log.append({ kind: 'plan', partition, body });
        }
      });
    }
  }

  #heal(): void {
    this.scheduler.trace?.(() => 'all is healed');
    this.isHealed = true;
    this.scheduler.heal();
    this.stateStore.heal();
    this.membership.heal();
    this.readModel.partial = 0;
    this.log.aheadMs = 0;
    for (const { clock } of this.workers) clock.aheadMs = 0;
    for (const worker of this.workers) this.startWorker(worker);
    this.#awaitStuck();
  }

  /** Nobody counts as stuck while it is paused. */
  #awaitStuck(): void {
    const { scheduler, workers } = this;
    const awakeAtMs = Math.max(scheduler.nowMs, ...workers.map(({ life }) => life.pausedUntilMs));
    scheduler.after(awakeAtMs - scheduler.nowMs + STUCK_AFTER_MS, () => {
      const isAsleep = workers.some(({ life }) => life.pausedUntilMs > awakeAtMs);
      if (isAsleep) this.#awaitStuck();
      else this.violate(`stuck: ${this.#stuck()}`);
    });
  }

  /** Applied and checkpointed, all partitions run, and for a while nobody had a tick to add. */
  #isQuiet(): boolean {
    const { scheduler, fleet, workers } = this;
    const running = new Set<number>();
    for (const { runtime } of workers) {
      for (const { partition, phase } of runtime?.status ?? []) {
        if (phase === 'running') running.add(partition);
      }
    }
    const lasts: bigint[] = [];
    const isAwake = workers.every(({ life }) => life.pausedUntilMs <= scheduler.nowMs);
    let isDone = isAwake && fleet.isDone && running.size === this.scenario.partitions;
    for (let partition = 0; partition < this.scenario.partitions; partition += 1) {
      const record = this.ownership.record(partition);
      lasts.push(this.log.last(partition));
      isDone &&= BigInt(record?.position ?? -1) === lasts[partition];
    }
    const state = lasts.join();
    if (!isDone || state !== this.#quietState) this.#quietSinceMs = scheduler.nowMs;
    this.#quietState = state;
    return scheduler.nowMs - this.#quietSinceMs >= QUIET_MS;
  }

  #stuck(): string {
    const places = Array.from({ length: this.scenario.partitions }, (_, partition) => {
      const record = this.ownership.record(partition);
      return `${partition} at ${record?.position} of ${this.log.last(partition)}`;
    });
    const errors = this.workers.flatMap(({ id, runtime }) =>
      (runtime?.troubles ?? []).map(({ code, message }) => `${id} ${code}: ${message}`),
    );
    return [...places, ...(this.fleet.isDone ? [] : ['devices wait']), ...errors].join('; ');
  }

  #judge(): string | null {
    const partitions = Array.from({ length: this.scenario.partitions }, (_, each) => each);
    const { rows, facts, letters } = this.readModel.seen();
    return judge({
      acknowledged: this.fleet.acknowledged,
      logs: partitions.map((partition) => this.log.history(partition)),
      skips: partitions.map((partition) => this.ownership.skips(partition)),
      cuts: partitions.map((each) => this.readModel.cuts(each)),
      ...{ rows, facts, letters, plan: this.scenario.plan },
      isSumming: this.readModel.isSumming,
    });
  }
}

export async function simulate(
  scenario: Scenario,
  mutation: Mutation = {},
  prepare: (house: House) => void = () => {},
): Promise<Verdict> {
  const house = new House(scenario, mutation);
  prepare(house);
  // A promise that nobody handles would end a real worker: here it ends the run, with its seed.
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => house.violate(`unhandled rejection: ${reason}`));
  try {
    const verdict = await house.run();
    await new Promise((resolve) => setImmediate(resolve));
    return { ...verdict, violation: house.violation };
  } finally {
    process.removeAllListeners('unhandledRejection');
    for (const other of others) process.on('unhandledRejection', other);
  }
}
