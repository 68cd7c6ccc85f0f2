/**
 * Lets a replay take the place of what is stored. In: a finished replay of a partition up to the
 * end of its log. Out: its rows in the read model under a new generation, and a partition that goes
 * on from the replay's state under that generation.
 *
 *   1 note      a control record in the log: who looks later finds what happened, and where
 *   2 insert    the replay's rows, all versions, tombstones too, under new tokens
 *   3 cut       one row of `generations`: rows of older generations above the cut no longer count
 *               (of a recomputed device only its own rows are replaced: tombstones instead)
 *   4 hand over the ownership record, by compare-and-set: next epoch, new generation, the replay's
 *               position and state, no owner. Whoever owned the partition is fenced by its next
 *               renewal; who claims it next applies what came behind, under the new generation
 *
 * Every step may be repeated: rows are absolute and versioned, the record is written once. Until
 * step 4 the partition runs on and only its older rows are hidden; what it wrote meanwhile above
 * the cut is written again by the next owner.
 */
import { randomUUID } from 'node:crypto';
import type { LogAppender, LogReader, Ownership, OwnershipRecord } from '../model/doors.ts';
import { OperatingError } from '../model/error.ts';
import { GENERATIONS } from '../model/table.ts';
import type { Ask, Tell } from './door.ts';
import type { ReplayJob } from './replay.ts';
import { selected } from './selection.ts';
import { readShapes } from './shape.ts';
import { isVersioned, literal, name, place, sequenceOf, type TableShape } from './sql.ts';

/** Renewals come every second; each lost race is tried again at once. */
const HAND_OVER_TRIES_MAX = 50;

export interface PromotionOptions {
  readonly job: ReplayJob;
  readonly log: string;
  /** Rows of the stretch that are stored and that the replay does not have (its diff). */
  readonly extraRows: number;
  readonly ownership: Ownership;
  readonly reader: LogReader;
  readonly appender: LogAppender;
  readonly ask: Ask;
  readonly tell: Tell;
  readonly stored: string;
  readonly computed: string;
}

/** After `checkPromotable`. */
export async function promote(options: PromotionOptions): Promise<void> {
  const { job } = options;
  const note = { promote: job.name, generation: job.generation, from: job.from, to: job.to };
  const body = Buffer.from(JSON.stringify(note), 'utf8');
  await options.appender.append({ kind: 'ctl', partition: job.partition, body });
  await insertRows(options);
  await cut(options);
  await handOver(options);
}

/** INPUT_INVALID with the reason when it cannot be; nothing is written. */
export async function checkPromotable(options: PromotionOptions): Promise<void> {
  const { job, ownership, reader, extraRows } = options;
  const { partition, generation, generationBefore } = job;
  const refuse = (why: string) =>
    new OperatingError('INPUT_INVALID', `replay ${job.name} cannot be promoted: ${why}`, {
      where: { partition, replay: job.name },
    });
  if (!job.isOpenEnded) throw refuse('it ends before the log does; replay without --to');
  if (generation === generationBefore) {
    throw refuse(
      `it began at a checkpoint (behind message ${job.start}) and keeps its generation; ` +
        'a log that still has its first message is replayed from there without --from',
    );
  }
  if (job.from !== '1' && job.selection === null && extraRows > 0) {
    throw refuse(
      `${extraRows} stored rows of its range are not in it, and what they were before the range ` +
        'is not known; replay without --from',
    );
  }
  const found = await ownership.load(partition);
  if (found?.record.generation !== generationBefore) {
    throw refuse(`partition ${partition} has begun another generation since; replay again`);
  }
  const { firstSequence } = await reader.state(partition);
  if (firstSequence > BigInt(job.to) + 1n) {
    throw refuse(`the log begins at ${firstSequence}, behind its end ${job.to}; replay again`);
  }
}

async function insertRows(options: PromotionOptions): Promise<void> {
  const { ask, tell, stored, computed, job } = options;
  const attempt = randomUUID();
  for (const table of (await readShapes(ask, computed)).values()) {
    const columns = table.columns.map((column) => name(column.name)).join(', ');
    const into = `INSERT INTO ${place(stored, table.name)} (${columns}) `;
    const settings = (part: string) =>
      ` SETTINGS insert_deduplication_token = ${literal(`${attempt}:${table.name}:${part}`)}, ` +
      'max_partitions_per_insert_block = 0';
    await tell.command(
      `${into}SELECT ${columns} FROM ${place(computed, table.name)} ` +
        `WHERE partition = ${job.partition}${settings('rows')}`,
    );
    if (job.selection) await tell.command(into + tombstones(options, table) + settings('gone'));
  }
}

/** Stored rows of the selection that the replay does not have, deleted under its generation. */
function tombstones({ stored, computed, job }: PromotionOptions, table: TableShape): string {
  const generation = isVersioned(table)
    ? `bitOr(bitAnd(version, toUInt128('${2n ** 96n - 1n}')), ` +
      `bitShiftLeft(toUInt128(${job.generation}), 96))`
    : `toUInt32(${job.generation})`;
  const columns = table.columns.map((column) => {
    if (column.name === 'version') return `${generation} AS v`;
    return column.name === 'is_deleted' ? 'toUInt8(1) AS d' : name(column.name);
  });
  const key = `(${table.key.map(name).join(', ')})`;
  const of = job.selection ? selected(job.selection, table) : '0';
  return (
    `SELECT ${columns.join(', ')} FROM ${place(stored, table.name)} FINAL ` +
    `WHERE partition = ${job.partition} AND ${of} AND ${sequenceOf(table)} <= ${job.to} ` +
    `AND ${key} NOT IN (SELECT ${key} FROM ${place(computed, table.name)} FINAL)`
  );
}

/** A recomputed device cuts nothing of the past; the others' rows stay what they are. */
async function cut({ tell, stored, log, job }: PromotionOptions): Promise<void> {
  const cutAt = job.selection ? BigInt(job.to) : BigInt(job.from) - 1n;
  await tell.command(
    `INSERT INTO ${place(stored, GENERATIONS.name)} ` +
      '(log, partition, generation, cut, is_deleted) ' +
      `SELECT ${literal(log)}, ${job.partition}, ${job.generation}, ${cutAt}, 0`,
  );
}

async function handOver({ ownership, job }: PromotionOptions): Promise<void> {
  for (let tries = 1; tries <= HAND_OVER_TRIES_MAX; tries += 1) {
    const found = await ownership.load(job.partition);
    if (found?.record.generation === job.generation) return; // an earlier try's
    if (!found || found.record.generation !== job.generationBefore) break;
    const record = recordOf(found.record, job);
    if ((await ownership.save(job.partition, record, found.revision)) !== null) return;
  }
  throw new OperatingError(
    'NOT_OWNER',
    `partition ${job.partition}: its record could not be handed over to replay ${job.name}; ` +
      'its rows are in place: run the promotion again',
    { where: { partition: job.partition, replay: job.name } },
  );
}

function recordOf(before: OwnershipRecord, job: ReplayJob): OwnershipRecord {
  const kept = before.identities.filter(({ sequence }) => BigInt(sequence) <= BigInt(job.to));
  return {
    ...before,
    owner: '',
    nonce: randomUUID(),
    epoch: before.epoch + 1,
    generation: job.generation,
    position: job.to,
    identity: job.identity,
    identities: kept,
    objects: job.objects,
    rootHash: job.rootHash,
    plan: '',
    planText: job.planText,
    stateGeneration: job.generation,
    cut: null,
    history: [],
  };
}
