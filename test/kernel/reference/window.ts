/**
 * Windows of one (device, channel). In: stored samples, firings, flush points. Out: the cells to
 * emit, in order, each stamped with its revision. The caller turns them into rows and facts.
 */
import { FIRED_WINDOWS_KEPT, OPEN_WINDOWS_MAX } from '../../../assembly/shared/abi.ts';
import { assert } from '../../../src/base/assert.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';

/** Running aggregate of one metric in one window. */
export interface Aggregate {
  count: number;
  sum: number;
  compensation: number;
  min: number;
  max: number;
  first: number;
  firstTimeMs: number;
  firstSequence: bigint;
  last: number;
  lastTimeMs: number;
  lastSequence: bigint;
  mean: number;
  m2: number;
}

export interface Cell {
  readonly window: number;
  readonly start: number;
  readonly fragment: bigint;
  fired: boolean;
  dirty: boolean;
  /** Of the next emission. */
  revision: number;
  touched: number;
  /** By metric ordinal. */
  readonly metrics: Map<number, Aggregate>;
}

/** One stored sample: its accepted readings as doubles, in payload order. */
export interface StoredSample {
  readonly eventMs: number;
  readonly sequence: bigint;
  readonly readings: readonly { readonly ordinal: number; readonly value: number }[];
}

export type Emit = (cell: Cell) => void;
export type NextFragment = () => bigint;

export class Series {
  watermarkMs = Number.NEGATIVE_INFINITY;
  greatestEventMs = Number.NEGATIVE_INFINITY;
  /** Log time of the last record that stored a sample. */
  lastLogTimeMs = Number.NEGATIVE_INFINITY;
  cells: Cell[] = [];
  #evictedMaxStart = new Map<number, number>();
  #touches = 0;

  get unfired(): boolean {
    return this.cells.some(({ fired }) => !fired);
  }

  get dirty(): boolean {
    return this.cells.some(({ dirty }) => dirty);
  }

  fold(channel: PlanChannel, sample: StoredSample, emit: Emit, nextFragment: NextFragment): void {
    for (const [window, { lengthMs }] of channel.windows.entries()) {
      const start = Math.floor(sample.eventMs / lengthMs) * lengthMs;
      const alike = this.#of(window).filter((cell) => cell.start === start);
      const cell = alike.at(-1) ?? this.#open({ window, start, lengthMs }, emit, nextFragment);
      for (const reading of sample.readings) {
        const before = cell.metrics.get(reading.ordinal);
        cell.metrics.set(reading.ordinal, foldValue(before, reading.value, sample));
      }
      this.#touches += 1;
      cell.touched = this.#touches;
      if (cell.fired) cell.dirty = true;
    }
  }

  /** After a sample was folded: closes what the watermark has passed. */
  moveWatermark(channel: PlanChannel, eventMs: number, logMs: number, emit: Emit): void {
    this.greatestEventMs = Math.max(this.greatestEventMs, eventMs);
    const reached = Math.min(this.greatestEventMs, logMs) - channel.outOfOrderMs - 1;
    this.watermarkMs = Math.max(this.watermarkMs, reached);
    const passed = (cell: Cell) =>
      cell.start + channel.windows[cell.window]!.lengthMs - 1 <= this.watermarkMs;
    this.fire(passed, emit);
  }

  /** Unfired cells that meet the condition become fired and are emitted. */
  fire(condition: (cell: Cell) => boolean, emit: Emit): void {
    for (const cell of this.cells.filter((each) => !each.fired && condition(each))) {
      cell.fired = true;
      this.#emit(cell, emit);
    }
  }

  flush(channel: PlanChannel, emit: Emit): void {
    for (const cell of this.cells.filter(({ dirty }) => dirty)) this.#emit(cell, emit);
    for (const [window, { lengthMs }] of channel.windows.entries()) {
      const fired = this.#of(window).filter((cell) => cell.fired);
      const kept = new Set(
        [fired.at(-1), fired.toSorted((left, right) => left.touched - right.touched).at(-1)].filter(
          (cell) =>
            cell !== undefined && this.watermarkMs < cell.start + lengthMs + channel.latenessMs - 1,
        ),
      );
      assert(kept.size <= FIRED_WINDOWS_KEPT, 'two fired windows are kept');
      for (const cell of fired) if (!kept.has(cell)) this.#evict(cell);
    }
  }

  #open(
    place: { window: number; start: number; lengthMs: number },
    emit: Emit,
    nextFragment: NextFragment,
  ): Cell {
    const { window, start, lengthMs } = place;
    const open = this.#of(window);
    if (open.length === OPEN_WINDOWS_MAX) {
      const evicted = open.find(({ fired }) => fired) ?? open[0]!;
      if (evicted.dirty || !evicted.fired) this.#emit(evicted, emit);
      this.#evict(evicted);
    }
    const isNew = start > (this.#evictedMaxStart.get(window) ?? Number.NEGATIVE_INFINITY);
    const fired = start + lengthMs - 1 <= this.watermarkMs;
    const cell: Cell = {
      ...{ window, start, fragment: isNew ? 0n : nextFragment(), metrics: new Map() },
      ...{ fired, dirty: fired, revision: 0, touched: 0 },
    };
    this.cells.push(cell);
    this.cells.sort(inOrder);
    return cell;
  }

  #of(window: number): Cell[] {
    return this.cells.filter((cell) => cell.window === window);
  }

  #emit(cell: Cell, emit: Emit): void {
    emit(cell);
    cell.revision += 1;
    cell.dirty = false;
  }

  #evict(cell: Cell): void {
    this.cells.splice(this.cells.indexOf(cell), 1);
    const before = this.#evictedMaxStart.get(cell.window) ?? Number.NEGATIVE_INFINITY;
    this.#evictedMaxStart.set(cell.window, Math.max(before, cell.start));
  }
}

function inOrder(left: Cell, right: Cell): number {
  if (left.window !== right.window) return left.window - right.window;
  if (left.start !== right.start) return left.start - right.start;
  return left.fragment < right.fragment ? -1 : 1;
}

function foldValue(
  before: Aggregate | undefined,
  value: number,
  { eventMs, sequence }: StoredSample,
): Aggregate {
  const next = { ...(before ?? emptyAggregate(value, eventMs, sequence)) };
  return fold(next, value, { eventMs, sequence });
}

/** What the first reading is folded into: it is its own extreme, first and last. */
function emptyAggregate(value: number, eventMs: number, sequence: bigint): Aggregate {
  return {
    ...{ count: 0, sum: 0, compensation: 0, min: value, max: value, mean: 0, m2: 0 },
    ...{ first: value, firstTimeMs: eventMs, firstSequence: sequence },
    ...{ last: value, lastTimeMs: eventMs, lastSequence: sequence },
  };
}

function fold(cell: Aggregate, value: number, at: { eventMs: number; sequence: bigint }) {
  const sum = cell.sum + value;
  const isSmaller = Math.abs(cell.sum) < Math.abs(value);
  cell.compensation += isSmaller ? value - sum + cell.sum : cell.sum - sum + value;
  cell.sum = sum;
  if (value < cell.min) cell.min = value;
  if (value > cell.max) cell.max = value;
  if (at.eventMs < cell.firstTimeMs) {
    Object.assign(cell, { first: value, firstTimeMs: at.eventMs, firstSequence: at.sequence });
  }
  if (at.eventMs >= cell.lastTimeMs) {
    Object.assign(cell, { last: value, lastTimeMs: at.eventMs, lastSequence: at.sequence });
  }
  cell.count += 1;
  const distance = value - cell.mean;
  cell.mean += distance / cell.count;
  cell.m2 += distance * (value - cell.mean);
  return cell;
}
