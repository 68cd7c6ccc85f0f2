/** Tumbling windows: a cell per start and fragment. assembly/README.md, Windows. */
import { OPEN_WINDOWS_MAX } from '../../../assembly/shared/abi.ts';
import type { PlanWindow } from '../../../src/model/plan.ts';
import {
  foldSample,
  followForm,
  inOrder,
  keptCells,
  type Metrics,
  type StoredSample,
  type Surroundings,
  type WindowState,
} from './window.ts';

interface Cell {
  readonly start: number;
  readonly fragment: bigint;
  fired: boolean;
  dirty: boolean;
  /** Of the next emission. */
  revision: number;
  touched: number;
  readonly metrics: Metrics;
}

export class Tumbling implements WindowState {
  plan: PlanWindow;
  #cells: Cell[] = [];
  #evictedMaxStart = Number.NEGATIVE_INFINITY;
  #touches = 0;

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
    const { lengthMs } = this.plan;
    const start = Math.floor(sample.eventMs / lengthMs) * lengthMs;
    const cell = this.#cells.findLast((each) => each.start === start) ?? this.#open(start, around);
    foldSample(cell.metrics, sample, this.plan.sketch);
    this.#touches += 1;
    cell.touched = this.#touches;
    if (!cell.fired) return;
    cell.dirty = true;
    around.late();
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
    const fired = this.#cells.filter((cell) => cell.fired);
    const kept = keptCells(fired, around, (cell) => this.#end(cell));
    for (const cell of fired) if (!kept.has(cell)) this.#evict(cell);
  }

  #open(start: number, around: Surroundings): Cell {
    if (this.#cells.length === OPEN_WINDOWS_MAX) {
      const evicted = this.#cells.find(({ fired }) => fired) ?? this.#cells[0]!;
      if (evicted.dirty || !evicted.fired) this.#emit(evicted, around);
      this.#evict(evicted);
    }
    const fragment = start > this.#evictedMaxStart ? 0n : around.nextFragment();
    if (fragment !== 0n) around.late();
    const cell = {
      ...{ start, fragment, fired: false, dirty: false, revision: 0, touched: 0 },
      metrics: new Map(),
    };
    cell.fired = this.#end(cell) - 1 <= around.watermarkMs;
    this.#cells.push(cell);
    this.#cells.sort(inOrder);
    return cell;
  }

  #end({ start }: Cell): number {
    return start + this.plan.lengthMs;
  }

  #emit(cell: Cell, around: Surroundings): void {
    const { start, fragment, revision, metrics } = cell;
    const end = this.#end(cell);
    around.emit({ start, end, fragment, revision, deleted: false, metrics });
    cell.revision += 1;
    cell.dirty = false;
  }

  #evict(cell: Cell): void {
    this.#cells.splice(this.#cells.indexOf(cell), 1);
    this.#evictedMaxStart = Math.max(this.#evictedMaxStart, cell.start);
  }
}
