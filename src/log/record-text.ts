/**
 * Ownership records as text on stream CKPT. In: a record. Out: JSON in which runs of object names
 * that differ only in their last number stand as one (`3.1.7.90.0of8-1-0*12`): the record is
 * rewritten every second. Reading also takes records of older layouts; of a newer one it says so.
 */
import { OperatingError } from '../model/error.ts';
import { LAYOUT_VERSION } from '../model/limit.ts';
import type { Checkpoint, OwnershipRecord } from '../model/ownership.ts';

const RUN = /^(.*[.-])(\d+)\*(\d+)$/;
const NUMBERED = /^(.*[.-])(\d+)$/;

export function recordText(record: OwnershipRecord): string {
  const packed = <T extends Checkpoint>(each: T) => ({
    ...each,
    objects: runsOf(each.objects),
  });
  return JSON.stringify({ ...packed(record), history: record.history.map(packed) });
}

/** CHECKPOINT_CORRUPT when it is no record, CHECKPOINT_INCOMPATIBLE when of a newer layout. */
export function parseRecord(text: string, partition: number): OwnershipRecord {
  let found: Partial<OwnershipRecord>;
  try {
    found = JSON.parse(text) as Partial<OwnershipRecord>;
  } catch {
    throw notARecord(partition);
  }
  if (typeof found?.nonce !== 'string' || typeof found.position !== 'string') {
    throw notARecord(partition);
  }
  const layoutVersion = found.layoutVersion ?? 1;
  if (layoutVersion > LAYOUT_VERSION) throw newerLayout(partition, layoutVersion);
  const record = { ...found, layoutVersion } as OwnershipRecord;
  return {
    ...record,
    plan: record.plan ?? '',
    planText: record.planText ?? '',
    stateGeneration: record.stateGeneration ?? record.generation,
    cut: record.cut ?? null,
    objects: namesOf(record.objects),
    history: (record.history ?? []).map((each) => ({ ...each, objects: namesOf(each.objects) })),
  };
}

function runsOf(names: readonly string[]): string[] {
  const runs: { stem: string; first: number; count: number }[] = [];
  for (const name of names) {
    const [, stem = name, digits = ''] = NUMBERED.exec(name) ?? [];
    const run = runs.at(-1);
    const number = Number(digits);
    if (run && run.stem === stem && digits !== '' && number === run.first + run.count) {
      run.count += 1;
    } else runs.push({ stem, first: digits === '' ? -1 : number, count: 1 });
  }
  return runs.map(({ stem, first, count }) => {
    if (first < 0) return stem;
    return count === 1 ? `${stem}${first}` : `${stem}${first}*${count}`;
  });
}

function namesOf(runs: readonly string[]): string[] {
  return runs.flatMap((run) => {
    const [, stem, first, count] = RUN.exec(run) ?? [];
    if (count === undefined) return [run];
    return Array.from({ length: Number(count) }, (_, index) => `${stem}${Number(first) + index}`);
  });
}

function notARecord(partition: number): OperatingError {
  return new OperatingError(
    'CHECKPOINT_CORRUPT',
    `The ownership record of partition ${partition} on stream CKPT is not one.`,
    { where: { stream: 'CKPT', partition } },
  );
}

function newerLayout(partition: number, found: number): OperatingError {
  return new OperatingError(
    'CHECKPOINT_INCOMPATIBLE',
    `partition ${partition}: its checkpoint has layout ${found}, this version reads up to ` +
      `${LAYOUT_VERSION}. Start the newer version that wrote it`,
    { where: { partition, layoutVersion: found } },
  );
}
