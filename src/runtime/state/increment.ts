/**
 * Which state objects a checkpoint consists of. Every checkpoint exports what changed and one slice
 * of what did not, in turn: after all slices everything older is superseded, so that there never is
 * a whole export. In: the names in the record. Out: the next slice, and the names to keep.
 *
 *   `<partition>.<generation>.<epoch>.<position>.<slice>of<slices>-<attempt>-<n>`
 *
 * The slice is in the name, so that a new owner goes on where the one before it stopped. Objects
 * without one (whole exports and their increments, of versions before) are superseded like others.
 */
import type { Sweep } from '../../model/doors.ts';
import { STATE_SLICES } from '../../model/limit.ts';

const SLICE = /\.(\d+)of(\d+)-\d+-\d+$/;

/** The slice behind that of the newest object. */
export function nextSweep(objects: readonly string[], of = STATE_SLICES): Sweep {
  const newest = sweepOf(objects.at(-1));
  return { slice: newest?.of === of ? (newest.slice + 1) % of : 0, of };
}

/** `attempt` tells exports of one position apart: their bytes are not the same. */
export function objectName(stem: string, { slice, of }: Sweep, attempt: number, index: number) {
  return `${stem}.${slice}of${of}-${attempt}-${index}`;
}

/**
 * The names in the order in which they are applied, without those before the checkpoints that
 * together have all slices. A checkpoint is kept or dropped with all of its objects.
 */
export function keptObjects(before: readonly string[], added: readonly string[]): string[] {
  const objects = [...before, ...added];
  const of = sweepOf(objects.at(-1))?.of ?? 0;
  const seen = new Set<number>();
  for (let first = objects.length - 1; first > 0; first -= 1) {
    const sweep = sweepOf(objects[first]);
    if (sweep?.of === of) seen.add(sweep.slice);
    const begins = checkpointOf(objects[first - 1]!) !== checkpointOf(objects[first]!);
    if (begins && of > 0 && seen.size === of) return objects.slice(first);
  }
  return objects;
}

function sweepOf(name: string | undefined): Sweep | null {
  const found = name === undefined ? null : SLICE.exec(name);
  return found && { slice: Number(found[1]), of: Number(found[2]) };
}

/** All of a name but its number. */
const checkpointOf = (name: string) => name.slice(0, name.lastIndexOf('-') + 1) || name;
