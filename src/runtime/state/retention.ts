/**
 * Which older checkpoints are kept beside a new one. In: what is retained so far, newest first, and
 * where the log begins. Out: what stays, newest first. Kept are the previous one; of every slot of
 * log time the oldest (slots are wider the older they are, and a wide one is made of whole narrow
 * ones, so that what fills one later was kept before); and the anchor: the oldest from which the
 * whole log can be applied, unless the log still has its first message.
 */
import { CHECKPOINT_SLOT_MS, CHECKPOINTS_RETAINED_MAX } from '../../model/limit.ts';
import { type Checkpoint, takenAtMs } from '../../model/ownership.ts';

export function retained(
  before: readonly Checkpoint[],
  nowMs: number,
  firstSequence: bigint,
): readonly Checkpoint[] {
  const usable = before.filter(({ position }) => BigInt(position) + 1n >= firstSequence);
  const anchor = firstSequence > 1n ? usable.at(-1) : undefined;
  const oldestOf = new Map<string, Checkpoint>();
  for (const each of usable) oldestOf.set(slotOf(takenAtMs(each), nowMs), each);
  const slots = new Set(oldestOf.values());
  const kept = usable.filter((each, index) => index === 0 || each === anchor || slots.has(each));
  const surplus = kept.length - CHECKPOINTS_RETAINED_MAX;
  if (surplus <= 0) return kept;
  return anchor === undefined
    ? kept.slice(0, CHECKPOINTS_RETAINED_MAX)
    : [...kept.slice(0, CHECKPOINTS_RETAINED_MAX - 1), anchor];
}

function slotOf(takenMs: number, nowMs: number): string {
  let widthMs = CHECKPOINT_SLOT_MS;
  while (nowMs - takenMs >= widthMs * 2) widthMs *= 2;
  return `${widthMs}/${Math.floor(takenMs / widthMs)}`;
}
