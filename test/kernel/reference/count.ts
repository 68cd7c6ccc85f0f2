/**
 * Count windows: panes of so many stored samples in log order; a window is the merge of the last
 * few. Emitted once, when its last pane is full. assembly/README.md, Other windows.
 */
import type { PlanWindow } from '../../../src/model/plan.ts';
import {
  foldSample,
  followForm,
  type Metrics,
  mergeMetrics,
  type StoredSample,
  type Surroundings,
  type WindowState,
} from './window.ts';

interface Pane {
  samples: number;
  leastMs: number;
  greatestMs: number;
  readonly metrics: Metrics;
}

export class Count implements WindowState {
  plan: PlanWindow;
  readonly unfired = false;
  readonly dirty = false;
  /** Oldest first; only the last may not be full. */
  #panes: Pane[] = [];

  constructor(plan: PlanWindow) {
    this.plan = plan;
  }

  follow(plan: PlanWindow, isScored: boolean): void {
    this.plan = plan;
    followForm(this.#panes, plan.sketch, isScored);
  }

  fold(sample: StoredSample, around: Surroundings): void {
    const { count, everyCount, sketch } = this.plan;
    let pane = this.#panes.at(-1);
    if (pane === undefined || pane.samples === everyCount) {
      pane = { samples: 0, leastMs: Infinity, greatestMs: -Infinity, metrics: new Map() };
      this.#panes.push(pane);
    }
    foldSample(pane.metrics, sample, sketch);
    pane.samples += 1;
    pane.leastMs = Math.min(pane.leastMs, sample.eventMs);
    pane.greatestMs = Math.max(pane.greatestMs, sample.eventMs);
    const panesOfWindow = count / everyCount;
    if (pane.samples < everyCount || this.#panes.length < panesOfWindow) return;
    around.emit({
      start: Math.min(...this.#panes.map(({ leastMs }) => leastMs)),
      end: Math.max(...this.#panes.map(({ greatestMs }) => greatestMs)) + 1,
      ...{ fragment: around.nextFragment(), revision: 0, deleted: false },
      metrics: this.#panes.map(({ metrics }) => metrics).reduce(mergeMetrics),
    });
    this.#panes.shift();
  }

  pass(): void {}

  fireIdle(): void {}

  flush(): void {}
}
