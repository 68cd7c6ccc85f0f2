/**
 * The virtual scheduler: one thread, one heap of events, one seeded generator. In: door calls of
 * simulated processes. Out: their effects and replies, at times and in an order that the seed
 * decides. Nothing real is waited for: between two events the microtasks are drained, no more.
 *
 *   call ──request──► effect (at the server) ──reply──► caller
 *          may be lost, late, doubled          may be lost; not to the dead; waits for pauses
 */
import type { ErrorCode } from '../../src/model/error.ts';
import { OperatingError } from '../../src/model/error.ts';
import { createRandom, type Random } from '../../src/sim/random.ts';

/** One life of one process. The dead never hear of anything again. */
export class Life {
  readonly name: string;
  isAlive = true;
  pausedUntilMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

export type Door = 'log' | 'ownership' | 'state' | 'clickhouse' | 'subjects' | 'kernel' | 'member';

/** Chances per call, while faults are on. */
export interface CallFaults {
  readonly lostRequest: number;
  readonly lostReply: number;
  /** Given up by the caller, carried out later. */
  readonly late: number;
  readonly doubled: number;
  readonly slow: number;
  /** The caller dies before the request, or between effect and reply. */
  readonly crash: number;
}

export interface Request {
  readonly door: Door;
  /** For the trace. */
  readonly what: string;
  /** What the caller is told when it hears nothing. */
  readonly unreachable?: ErrorCode;
  /** Requests of this call keep their order: no late ones, none twice. */
  readonly isOrdered?: boolean;
  /** The caller tries again by itself: trouble is only delay. */
  readonly isPatient?: boolean;
}

interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

const NO_FAULTS: CallFaults = {
  lostRequest: 0,
  lostReply: 0,
  late: 0,
  doubled: 0,
  slow: 0,
  crash: 0,
};
const NEVER: Promise<never> = new Promise(() => {});

export const never = <Result>(): Promise<Result> => NEVER;

export class Scheduler {
  readonly random: Random;
  nowMs = 0;
  events = 0;
  faults: CallFaults = NO_FAULTS;
  /** Doors that a life cannot reach until a time; '*' is everybody. */
  readonly #outages = new Map<string, number>();
  readonly #heap: Event[] = [];
  #order = 0;
  /** Counts door calls: the points at which a crash can be ordered. */
  point = 0;
  /** What a crash means is the world's. */
  onCrash: (life: Life) => void = (life) => {
    life.isAlive = false;
  };
  /** Crashes that are ordered, not drawn: `<point>b` before the request, `<point>a` after it. */
  ordered: ReadonlySet<string> = new Set();
  trace: ((line: () => string) => void) | null = null;

  constructor(seed: number) {
    this.random = createRandom(seed);
  }

  /** After `delayMs`, whatever lives. */
  after(delayMs: number, act: () => void): void {
    this.#push({ atMs: this.nowMs + delayMs, order: this.#order++, act });
  }

  /** After `delayMs`, when the life still is; a paused one gets it when it goes on. */
  deliver(life: Life, delayMs: number, act: () => void): void {
    this.after(delayMs, () => this.#handOver(life, act));
  }

  outage(door: Door, name: string, durationMs: number): void {
    this.#outages.set(`${door}/${name}`, this.nowMs + durationMs);
  }

  heal(): void {
    this.#outages.clear();
    this.faults = NO_FAULTS;
  }

  isOut(door: Door, life: Life): boolean {
    const until = (name: string) => this.#outages.get(`${door}/${name}`) ?? 0;
    return Math.max(until(life.name), until('*')) > this.nowMs;
  }

  /** One door call of a process; `effect` runs at the server, if it gets there. */
  call<Result>(life: Life, request: Request, effect: () => Result): Promise<Result> {
    if (!life.isAlive) return never();
    const { door, what } = request;
    this.point += 1;
    const { point, random, faults } = this;
    if (this.ordered.has(`${point}b`) || (faults.crash > 0 && random.chance(faults.crash))) {
      this.trace?.(() => `${life.name} dies before ${door}.${what} (${point})`);
      this.onCrash(life);
      return never();
    }
    return new Promise((resolve, reject) => {
      const diesAfter = this.ordered.has(`${point}a`) || random.chance(faults.crash);
      this.#send({ life, request, effect, resolve, reject, diesAfter });
    });
  }

  #send<Result>(call: Call<Result>): void {
    const { life, request, effect } = call;
    const { door, what } = request;
    const { random, faults } = this;
    const slowMs = random.chance(faults.slow) ? random.uniform() * 2_000 : 0;
    const requestMs = random.uniform() * 4 + slowMs;
    const fail = (delayMs: number) => {
      if (request.isPatient) return this.deliver(life, delayMs, () => this.#send(call));
      const code = request.unreachable ?? 'NATS_UNREACHABLE';
      this.deliver(life, delayMs, () => {
        this.trace?.(() => `${life.name} ${door}.${what}: ${code}`);
        call.reject(new OperatingError(code, `${door}.${what}: the simulation says so`));
      });
    };
    if (this.isOut(door, life) || random.chance(faults.lostRequest)) {
      fail(50 + random.uniform() * 500);
      return;
    }
    if (!request.isOrdered && random.chance(faults.late)) {
      this.after(300 + random.uniform() * 4_000, () => this.#attempt(effect));
      fail(200 + random.uniform() * 300);
      return;
    }
    if (!request.isOrdered && random.chance(faults.doubled)) {
      this.after(requestMs + random.uniform() * 500, () => this.#attempt(effect));
    }
    const isReplyLost = !request.isPatient && random.chance(faults.lostReply);
    this.after(requestMs, () => {
      const result = this.#attempt(effect);
      this.trace?.(() => `${life.name} ${door}.${what} = ${shown(result)}`);
      if (call.diesAfter) {
        this.trace?.(() => `${life.name} dies after ${door}.${what}`);
        return this.onCrash(life);
      }
      if (isReplyLost) return fail(200 + random.uniform() * 500);
      this.deliver(life, random.uniform() * 4, () => {
        if ('error' in result) call.reject(result.error);
        else call.resolve(result.value);
      });
    });
  }

  #attempt<Result>(effect: () => Result): Outcome<Result> {
    try {
      return { value: effect() };
    } catch (error) {
      return { error };
    }
  }

  #handOver(life: Life, act: () => void): void {
    if (!life.isAlive) return;
    const waitMs = life.pausedUntilMs - this.nowMs;
    if (waitMs > 0) this.deliver(life, waitMs + this.random.uniform(), act);
    else act();
  }

  /** Runs until `isOver` or until nothing happens any more; drains microtasks between events. */
  async run(isOver: () => boolean): Promise<void> {
    await rejected();
    while (!isOver()) {
      const event = this.#pop();
      if (!event) return;
      this.nowMs = Math.max(this.nowMs, event.atMs);
      this.events += 1;
      event.act();
      if (this.events % ROUND === 0) await rejected();
      else await drained();
    }
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!isBefore(event, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = event;
  }

  #pop(): Event | null {
    const heap = this.#heap;
    const top = heap[0];
    const last = heap.pop();
    if (!top || !last) return null;
    if (heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below += 1;
      if (!isBefore(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return top;
  }
}

interface Call<Result> {
  readonly life: Life;
  readonly request: Request;
  readonly effect: () => Result;
  readonly resolve: (value: Result) => void;
  readonly reject: (error: unknown) => void;
  readonly diesAfter: boolean;
}

type Outcome<Result> = { readonly value: Result } | { readonly error: unknown };

const isBefore = (left: Event, right: Event): boolean =>
  left.atMs < right.atMs || (left.atMs === right.atMs && left.order < right.order);

/** A tick that is asked for in a microtask comes when no microtask is left. */
const drained = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve));

/** Once in a while the loop turns, so that promises which nobody handles are reported. */
const rejected = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const ROUND = 256;

function shown(outcome: Outcome<unknown>): string {
  const { value, error } = outcome as { value?: unknown; error?: unknown };
  if (error !== undefined) return `${error}`;
  const text = JSON.stringify(value, (_, each: unknown) => {
    if (each instanceof Uint8Array) return `${each.length} B`;
    if (isBuffer(each)) return Buffer.from(each.data).toString('utf8');
    return typeof each === 'bigint' ? `${each}` : each;
  });
  return (text ?? 'done').slice(0, 400);
}

/** What JSON makes of a Buffer before a replacer sees it. */
const isBuffer = (value: unknown): value is { data: number[] } =>
  (value as { type?: unknown } | null)?.type === 'Buffer';
