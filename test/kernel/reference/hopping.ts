/**
 * Hopping windows: panes as long as the hop; a window is the merge of its panes. A window is named
 * by its end. assembly/README.md, Other windows.
 */
import { OPEN_WINDOWS_MAX } from '../../../assembly/shared/abi.ts';
import type { PlanWindow } from '../../../src/model/plan.ts';
import {
  foldSample,
  followForm,
  inOrder,
  keptCells,
  type Metrics,
  mergeMetrics,
  type StoredSample,
  type Surroundings,
  type WindowState,
} from './window.ts';

interface Pane {
  readonly start: number;
  readonly fragment: bigint;
  dirty: boolean;
  revision: number;
  touched: number;
  readonly metrics: Metrics;
}

export class Hopping implements WindowState {
  plan: PlanWindow;
  #panes: Pane[] = [];
  #firedThrough = Number.NEGATIVE_INFINITY;
  #evictedMaxStart = Number.NEGATIVE_INFINITY;
  #touches = 0;

  constructor(plan: PlanWindow) {
    this.plan = plan;
  }

  get unfired(): boolean {
    return this.#panes.some((pane) => !this.#isFired(pane));
  }

  get dirty(): boolean {
    return this.#panes.some(({ dirty }) => dirty);
  }

  follow(plan: PlanWindow, isScored: boolean): void {
    this.plan = plan;
    followForm(this.#panes, plan.sketch, isScored);
  }

  fold(sample: StoredSample, around: Surroundings): void {
    const { everyMs } = this.plan;
    const start = Math.floor(sample.eventMs / everyMs) * everyMs;
    const found = this.#panes.findLast((pane) => pane.start === start);
    const isOpen = found !== undefined && (found.fragment !== 0n || this.#isWhole(start));
    const pane = isOpen ? found : this.#open(start, around);
    foldSample(pane.metrics, sample, this.plan.sketch);
    this.#touches += 1;
    pane.touched = this.#touches;
    if (start + everyMs > this.#firedThrough) return;
    pane.dirty = true;
    around.late();
  }

  pass(around: Surroundings): void {
    this.#fireThrough(this.#hopAt(around.watermarkMs + 1), around);
  }

  fireIdle(around: Surroundings): void {
    const last = this.#panes.at(-1);
    if (last !== undefined) this.#fireThrough(last.start + this.plan.lengthMs, around);
  }

  flush(around: Surroundings): void {
    this.#emitDirty(around);
    const fired = this.#panes.filter((pane) => this.#isFired(pane));
    const kept = keptCells(fired, around, ({ start }) => start + this.plan.lengthMs);
    for (const pane of fired) if (!kept.has(pane)) this.#evict(pane);
  }

  /** All windows ending after what has fired, up to an end. */
  #fireThrough(through: number, around: Surroundings): void {
    for (const end of this.#ends((each) => each > this.#firedThrough && each <= through)) {
      const fragments = this.#panesOf(end).map(({ fragment }) => fragment);
      for (const fragment of ascending(fragments)) this.#emit(end, fragment, around);
    }
    this.#firedThrough = Math.max(this.#firedThrough, through);
  }

  #emitDirty(around: Surroundings): void {
    const dirty = this.#panes.filter((pane) => pane.dirty);
    for (const pane of dirty) pane.revision += 1;
    for (const end of this.#ends((each) => each <= this.#firedThrough)) {
      const fragments = this.#panesOf(end).flatMap((pane) => (pane.dirty ? [pane.fragment] : []));
      for (const fragment of ascending(fragments)) this.#emit(end, fragment, around);
    }
    for (const pane of dirty) pane.dirty = false;
  }

  #emit(end: number, fragment: bigint, around: Surroundings): void {
    const panes = this.#panesOf(end).filter((pane) => pane.fragment === fragment);
    around.emit({
      ...{ start: end - this.plan.lengthMs, end, fragment, deleted: false },
      revision: panes.reduce((sum, pane) => sum + pane.revision, 0),
      metrics: panes.map(({ metrics }) => metrics).reduce(mergeMetrics),
    });
  }

  #open(start: number, around: Surroundings): Pane {
    const { lengthMs, everyMs } = this.plan;
    if (this.#panes.length === OPEN_WINDOWS_MAX + lengthMs / everyMs) {
      this.#emitDirty(around);
      const lowest = this.#panes[0]!;
      if (!this.#isFired(lowest)) this.#fireThrough(lowest.start + lengthMs, around);
      this.#evict(lowest);
    }
    const fragment = this.#isWhole(start) ? 0n : around.nextFragment();
    if (fragment !== 0n) around.late();
    const pane: Pane = {
      ...{ start, fragment, dirty: false, revision: 0, touched: 0, metrics: new Map() },
    };
    this.#panes.push(pane);
    this.#panes.sort(inOrder);
    return pane;
  }

  /** No window with a pane of this start has lost a pane. */
  #isWhole(start: number): boolean {
    return start > this.#evictedMaxStart + this.plan.lengthMs - this.plan.everyMs;
  }

  #isFired({ start }: Pane): boolean {
    return start + this.plan.lengthMs <= this.#firedThrough;
  }

  #panesOf(end: number): Pane[] {
    return this.#panes.filter(({ start }) => start >= end - this.plan.lengthMs && start < end);
  }

  /** Ends of windows that hold a pane, ascending. */
  #ends(condition: (end: number) => boolean): number[] {
    const { lengthMs, everyMs } = this.plan;
    const ends = new Set<number>();
    for (const { start } of this.#panes) {
      for (let end = start + everyMs; end <= start + lengthMs; end += everyMs) ends.add(end);
    }
    return [...ends].filter(condition).sort((left, right) => left - right);
  }

  #hopAt(timeMs: number): number {
    return Math.floor(timeMs / this.plan.everyMs) * this.plan.everyMs;
  }

  #evict(pane: Pane): void {
    this.#panes.splice(this.#panes.indexOf(pane), 1);
    this.#evictedMaxStart = Math.max(this.#evictedMaxStart, pane.start);
  }
}

const ascending = (fragments: readonly bigint[]): bigint[] =>
  [...new Set(fragments)].sort((left, right) => (left < right ? -1 : 1));
