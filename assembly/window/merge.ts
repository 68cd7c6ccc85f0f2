/**
 * A window of one or several cells while it is emitted or merged: its parts, and in scratch what
 * they are together. In: addresses of cells of one window, in the order in which they merge. Out: a
 * cell with accumulators and spans of all of them; the bins of one metric at a time.
 *
 *   MERGE_AT ┌ Parts ┬ merged cell: all that cells can have × 64 metrics ┐ bins ┬ other bins ┐
 *
 * Scratch: valid until the next window is begun, and no block moves in between.
 */
import { Section, WindowState } from '../series';
import { MERGE_AT } from '../memory';
import { METRICS_PER_CHANNEL_MAX, OPEN_WINDOWS_MAX, PANES_MAX, WINDOW_COUNT } from '../shared/abi';
import { Accumulator, Span, merge } from './accumulator';
import {
  Cell, KIND_BITS, WINDOW_SCORED, WINDOW_SKETCHES, accumulatorAt, plainBytes, raiseScore, scoresAt,
  sketchesAt, spanAt,
} from './cell';
import { isListed, unfold } from './list';
import { BINS_BYTES_MAX, binCount, binsOf, mergeBins } from './sketch';

const PARTS_MAX: u32 = OPEN_WINDOWS_MAX + PANES_MAX;

@unmanaged
class Parts {
  count: u32;
  metrics: u32;
  /** Of the window. */
  shape: u32;
  zero: u32;
  /** A span for a cell that has none. */
  first: i64;
  last: i64;
  // Then addresses of cells, u32 each.
}
const ADDRESSES_AT: usize = MERGE_AT + 32;
export const MERGED_AT: usize = ADDRESSES_AT + ((<usize>PARTS_MAX * 4 + 7) & ~7);
const BINS_AT: usize = MERGED_AT + 8192;
/** A merged cell has accumulators, spans and scores. */
export const MERGED_SHAPE: u32 = WINDOW_COUNT | WINDOW_SCORED;
export const MERGE_END: usize = BINS_AT + 2 * BINS_BYTES_MAX;

@inline
function parts(): Parts {
  return changetype<Parts>(MERGE_AT);
}
@inline
function partAt(index: u32): usize {
  return <usize>load<u32>(ADDRESSES_AT + (<usize>index << 2));
}

/** Begins a window of a section. */
export function beginParts(section: usize, state: WindowState): void {
  const p = parts();
  p.count = 0;
  p.metrics = changetype<Section>(section).metricCount;
  p.shape = state.shape;
}
export function addPart(cell: usize): void {
  const p = parts();
  store<u32>(ADDRESSES_AT + (<usize>p.count << 2), <u32>cell);
  p.count++;
}
@inline
export function partCount(): u32 {
  return parts().count;
}
@inline
function areCounted(p: Parts): bool {
  return (p.shape & KIND_BITS) == WINDOW_COUNT;
}
@inline
function areSketched(p: Parts): bool {
  return (p.shape & WINDOW_SKETCHES) != 0;
}
@inline
export function metricsOfParts(): u32 {
  return parts().metrics;
}

/** Sum of the parts' revisions. */
export function revisionOfParts(): u32 {
  let revision: u32 = 0;
  for (let i: u32 = 0; i < parts().count; i++) revision += changetype<Cell>(partAt(i)).revision;
  return revision;
}

/** True when spans hold the times of the cell. */
@inline
export function hasSpans(cell: usize): bool {
  return cell == MERGED_AT || areCounted(parts());
}

/** Greatest score of a metric's readings in what `mergeParts` gave, 0 when there are no scores. */
export function scoreOfParts(cell: usize, ordinal: u32): f32 {
  const p = parts();
  const scores = scoresAt(cell, cell == MERGED_AT ? MERGED_SHAPE : p.shape, p.metrics);
  return scores == 0 ? 0 : load<f32>(scores + (<usize>ordinal << 2));
}

/** The cell that has all parts: the only one, or one in scratch: merged, or a list unfolded. */
export function mergeParts(): usize {
  const p = parts();
  if (p.count == 1) return isListed(partAt(0)) ? unfold(partAt(0), p.shape, p.metrics) : partAt(0);
  memory.fill(MERGED_AT, 0, plainBytes(MERGED_SHAPE, p.metrics));
  const raised = scoresAt(MERGED_AT, MERGED_SHAPE, p.metrics);
  for (let i: u32 = 0; i < p.count; i++) {
    const cell = partAt(i);
    const scores = scoresAt(cell, p.shape, p.metrics);
    for (let ordinal: u32 = 0; ordinal < p.metrics; ordinal++) {
      const accumulator = accumulatorAt(cell, ordinal);
      if (accumulator.count == 0) continue;
      const own = spanAt(MERGED_AT, p.metrics, ordinal);
      merge(accumulatorAt(MERGED_AT, ordinal), own, accumulator, spanOf(cell, ordinal));
      if (scores != 0) raiseScore(raised, ordinal, load<f32>(scores + (<usize>ordinal << 2)));
    }
  }
  return MERGED_AT;
}

/** Times of a part's readings of a metric. */
function spanOf(cell: usize, ordinal: u32): Span {
  const p = parts();
  if (areCounted(p)) return spanAt(cell, p.metrics, ordinal);
  const accumulator: Accumulator = accumulatorAt(cell, ordinal);
  const start = changetype<Cell>(cell).start;
  p.first = start + <i64>accumulator.firstOffset;
  p.last = start + <i64>accumulator.lastOffset;
  return changetype<Span>(MERGE_AT + offsetof<Parts>('first'));
}

// --- bins ---------------------------------------------------------------------------------------
/** Upper bound of the bins of all metrics together. */
export function binsBound(): u32 {
  const p = parts();
  if (!areSketched(p)) return 0;
  let bins: u64 = 0;
  for (let i: u32 = 0; i < p.count; i++) {
    bins += load<u32>(sketchesAt(partAt(i), p.shape, p.metrics));
  }
  const most = <u32>(METRICS_PER_CHANNEL_MAX * <u32>(BINS_BYTES_MAX >> 3));
  return bins < most ? <u32>bins : most;
}

/** Bins of a metric in all parts; where they are says `mergedBins`. */
export function mergeBinsOf(ordinal: u32): u32 {
  const p = parts();
  if (!areSketched(p)) return 0;
  const first = sketchesAt(partAt(0), p.shape, p.metrics);
  let at = binsOf(first, p.metrics, ordinal);
  let count = binCount(first, ordinal);
  let out = BINS_AT;
  for (let i: u32 = 1; i < p.count; i++) {
    const sketches = sketchesAt(partAt(i), p.shape, p.metrics);
    const more = binCount(sketches, ordinal);
    if (more == 0) continue;
    count = mergeBins(at, count, binsOf(sketches, p.metrics, ordinal), more, out);
    at = out;
    out = out == BINS_AT ? BINS_AT + BINS_BYTES_MAX : BINS_AT;
  }
  p.last = <i64>at;
  return count;
}
/** Address of the bins that `mergeBinsOf` counted last. */
@inline
export function mergedBins(): usize {
  return <usize>parts().last;
}
