/**
 * Session windows: events with less than a gap between them, up to a longest span. A session is
 * named by its first event: when that changes, the row of the old name becomes a tombstone.
 * assembly/README.md, Other windows.
 */
import { OPEN_WINDOWS_MAX } from '../../../assembly/shared/abi.ts';
import type { PlanWindow } from '../../../src/model/plan.ts';
import {
  foldSample,
  followForm,
  inOrder,
  type Metrics,
  mergeMetrics,
  type StoredSample,
  type Surroundings,
  type WindowState,
} from './window.ts';

interface Cell {
  /** First and last event. */
  start: number;
  last: number;
  fragment: bigint;
  fired: boolean;
  dirty: boolean;
  /** There is a row of this name. */
  emitted: boolean;
  /** Of the next emission. */
  revision: number;
  metrics: Metrics;
}

export class Session implements WindowState {
  plan: PlanWindow;
  #cells: Cell[] = [];
  #evictedMaxStart = Number.NEGATIVE_INFINITY;

  constructor(plan: PlanWindow) {
    this.plan = plan;
  }

  get unfired(): boolean {
    return this.#cells.some(({ fired }) => !fired);
  }

  get dirty(): boolean {
    return this.#cells.some(({ dirty }) => dirty);
  }

  follow(plan: PlanWindow, isScored: boolean): void {
    this.plan = plan;
    followForm(this.#cells, plan.sketch, isScored);
  }

  fold(sample: StoredSample, around: Surroundings): void {
    const at = { start: sample.eventMs, last: sample.eventMs };
    const found = this.#cells.find((each) => this.#belong(each, at));
    const cell = found ?? this.#open(sample.eventMs, around);
    if (sample.eventMs < cell.start) this.#begin(cell, sample.eventMs, around);
    cell.last = Math.max(cell.last, sample.eventMs);
    foldSample(cell.metrics, sample, this.plan.sketch);
    this.#touch(cell, around);
    this.#cells.sort(inOrder);
    const other = this.#cells.find((each) => each !== cell && this.#belong(each, cell));
    if (other !== undefined) this.#merge([cell, other].sort(inOrder) as [Cell, Cell], around);
  }

  pass(around: Surroundings): void {
    this.#fire((cell) => this.#end(cell) - 1 <= around.watermarkMs, around);
  }

  fireIdle(around: Surroundings): void {
    this.#fire(() => true, around);
  }

  #fire(condition: (cell: Cell) => boolean, around: Surroundings): void {
    for (const cell of this.#cells.filter((each) => !each.fired && condition(each))) {
      cell.fired = true;
      this.#emit(cell, around);
    }
  }

  flush(around: Surroundings): void {
    for (const cell of this.#cells.filter(({ dirty }) => dirty)) this.#emit(cell, around);
    const isOver = (cell: Cell) => around.watermarkMs >= this.#end(cell) + around.latenessMs - 1;
    for (const cell of this.#cells.filter((each) => each.fired && isOver(each))) this.#evict(cell);
  }

  /** Less than a gap between them, and together not too long. */
  #belong(a: { start: number; last: number }, b: { start: number; last: number }): boolean {
    const { gapMs, lengthMs } = this.plan;
    const isNear = a.start - gapMs < b.last && b.start < a.last + gapMs;
    return isNear && Math.max(a.last, b.last) - Math.min(a.start, b.start) <= lengthMs;
  }

  #open(start: number, around: Surroundings): Cell {
    if (this.#cells.length === OPEN_WINDOWS_MAX) {
      const evicted = this.#cells.find(({ fired }) => fired) ?? this.#cells[0]!;
      if (evicted.dirty || !evicted.fired) this.#emit(evicted, around);
      this.#evict(evicted);
    }
    const fragment = start > this.#evictedMaxStart ? 0n : around.nextFragment();
    if (fragment !== 0n) around.late();
    const cell: Cell = {
      ...{ start, last: start, fragment, fired: false, dirty: false, emitted: false },
      ...{ revision: 0, metrics: new Map() },
    };
    cell.fired = this.#end(cell) - 1 <= around.watermarkMs;
    this.#cells.push(cell);
    return cell;
  }

  /** The cell gets an earlier start, which is another name. */
  #begin(cell: Cell, start: number, around: Surroundings): void {
    this.#bury(cell, around);
    Object.assign(cell, { start, emitted: false, revision: 0 });
    if (cell.fragment === 0n && start <= this.#evictedMaxStart) {
      cell.fragment = around.nextFragment();
    }
  }

  #merge([earlier, later]: [Cell, Cell], around: Surroundings): void {
    this.#bury(later, around);
    this.#cells.splice(this.#cells.indexOf(later), 1);
    earlier.last = Math.max(earlier.last, later.last);
    earlier.metrics = mergeMetrics(earlier.metrics, later.metrics);
    this.#touch(earlier, around);
  }

  #bury(cell: Cell, around: Surroundings): void {
    if (!cell.emitted) return;
    const { start, fragment, revision } = cell;
    const end = this.#end(cell);
    around.tombstone({ start, end, fragment, revision, deleted: true, metrics: new Map() });
  }

  #touch(cell: Cell, around: Surroundings): void {
    if (!cell.fired) return;
    cell.dirty = true;
    around.late();
  }

  #end({ last }: Cell): number {
    return last + this.plan.gapMs;
  }

  #emit(cell: Cell, around: Surroundings): void {
    const { start, fragment, revision, metrics } = cell;
    const end = this.#end(cell);
    around.emit({ start, end, fragment, revision, deleted: false, metrics });
    cell.revision += 1;
    cell.dirty = false;
    cell.emitted = true;
  }

  #evict(cell: Cell): void {
    this.#cells.splice(this.#cells.indexOf(cell), 1);
    this.#evictedMaxStart = Math.max(this.#evictedMaxStart, cell.start);
  }
}
