/**
 * The door Ownership on stream CKPT: lease, claim and checkpoint as one record per partition,
 * written by compare-and-set on the subject's last sequence. Everything is read from the stream's
 * leader: a direct get may come from a follower that lags.
 *
 * save:  1 publish with Nats-Expected-Last-Subject-Sequence
 *        2 acknowledged → the new revision
 *        3 conflict or no answer → read back: my nonce → it was mine, its sequence is the revision;
 *          another revision → null; still the old one → nothing was written, try again
 * Invariant: after null the record on the stream is not the caller's.
 */
import { headers } from '@nats-io/transport-node';
import type { Ownership, OwnershipRecord } from '../model/doors.ts';
import { isOperatingError, OperatingError } from '../model/error.ts';
import type { LogPosition } from '../model/record.ts';
import { checkpointSubject, DEFAULT_LOG, logScope, skipSubject } from '../wire/subject.ts';
import {
  API_ERROR,
  type ApiAnswer,
  callApi,
  getStored,
  listSubjects,
  refusedError,
} from './api.ts';
import type { NatsLink } from './connection.ts';
import { parseRecord, recordText } from './record-text.ts';

const STREAM = 'CKPT';
const EXPECTED_SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';
/**
 * Of one write: short, because the caller renews every second and decides itself when to give up.
 */
const WRITE_TIMEOUT_MS = 2_000;
/** Writes that left no trace are repeated this often within one save. */
const WRITE_TRIES_MAX = 3;
const CONFLICTS: readonly number[] = [
  API_ERROR.wrongLastSequence,
  API_ERROR.wrongLastSequenceRacing,
];

export interface OwnershipOptions {
  readonly link: NatsLink;
  /** 'core'; another job has records of its own. */
  readonly job: string;
  /** Default 'main'. */
  readonly log?: string;
  readonly writeTimeoutMs?: number;
}

type Outcome = { readonly revision: bigint } | 'conflict' | 'unknown';

const encoder = new TextEncoder();

export function createOwnership(options: OwnershipOptions): Ownership {
  const { link, job } = options;
  const scope = logScope(options.log ?? DEFAULT_LOG);

  async function load(partition: number) {
    const found = await getStored(link, STREAM, {
      last_by_subj: checkpointSubject(scope, job, partition),
    });
    if (!found) return null;
    const text = Buffer.from(found.data ?? '', 'base64').toString();
    return { record: parseRecord(text, partition), revision: BigInt(found.seq) };
  }

  async function write(subject: string, body: string, revision: bigint): Promise<Outcome> {
    const sent = headers();
    sent.set(EXPECTED_SEQUENCE, String(revision));
    try {
      const reply = await link.request(subject, encoder.encode(body), {
        headers: sent,
        timeoutMs: options.writeTimeoutMs ?? WRITE_TIMEOUT_MS,
      });
      const answer = reply.json() as ApiAnswer<{ seq: number }>;
      if (answer.seq) return { revision: BigInt(answer.seq) };
      if (CONFLICTS.includes(answer.error?.err_code ?? 0)) return 'conflict';
      const refused = refusedError(`a write to ${subject}`, answer.error);
      if (refused.code !== 'NATS_UNREACHABLE') throw refused;
      return 'unknown';
    } catch (error) {
      if (isOperatingError(error, 'NATS_UNREACHABLE')) return 'unknown';
      throw error;
    }
  }

  async function save(partition: number, record: OwnershipRecord, revision: bigint) {
    const subject = checkpointSubject(scope, job, partition);
    const body = recordText(record);
    for (let attempt = 0; attempt < WRITE_TRIES_MAX; attempt += 1) {
      const outcome = await write(subject, body, revision);
      if (typeof outcome === 'object') return outcome.revision;
      const current = await load(partition);
      if (current?.record.nonce === record.nonce) return current.revision;
      if ((current?.revision ?? 0n) !== revision) return null;
    }
    throw unsettledError(subject);
  }

  async function addSkip(position: LogPosition) {
    const subject = skipSubject(
      scope,
      job,
      position.partition,
      `${position.sequence}.${position.index}`,
    );
    for (let attempt = 0; attempt < WRITE_TRIES_MAX; attempt += 1) {
      // A conflict says that the key is there, which is all that is wanted.
      if ((await write(subject, '{}', 0n)) !== 'unknown') return;
    }
    throw unsettledError(subject);
  }

  async function skips(partition: number): Promise<readonly LogPosition[]> {
    const subjects = await listSubjects(link, STREAM, skipSubject(scope, job, partition, '>'));
    return subjects.map((subject) => parseSkip(subject, partition)).sort(bySequence);
  }

  async function dropSkips(partition: number, after: bigint): Promise<void> {
    for (const { sequence, index } of await skips(partition)) {
      if (sequence <= after) continue;
      const filter = skipSubject(scope, job, partition, `${sequence}.${index}`);
      const answer = await callApi(link, `STREAM.PURGE.${STREAM}`, { filter });
      if (answer.error) throw refusedError(`STREAM.PURGE.${STREAM}`, answer.error);
    }
  }

  return { load, save, skips, addSkip, dropSkips };
}

function parseSkip(subject: string, partition: number): LogPosition {
  const [sequence, index] = subject.split('.').slice(-2);
  return { partition, sequence: BigInt(sequence!), index: Number(index) };
}

function bySequence(left: LogPosition, right: LogPosition): number {
  if (left.sequence !== right.sequence) return left.sequence < right.sequence ? -1 : 1;
  return left.index - right.index;
}

function unsettledError(subject: string): OperatingError {
  return new OperatingError(
    'NATS_UNREACHABLE',
    `A write to ${subject} was not answered, and nothing of it is on the stream yet. ` +
      'Repeat it with the same nonce.',
    { where: { subject } },
  );
}
