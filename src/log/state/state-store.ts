/**
 * The door StateStore on stream STATE: one object is one acknowledged message. In: a name of tokens
 * joined by dots, at most OBJECT_BYTES_MAX bytes. Out: the same bytes, checked against the checksum
 * that was stored with them; that all of them together are the state, its root hash shows.
 * Invariant: a name is written once; writing the same bytes again changes nothing, writing other
 * bytes is refused.
 */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { headers } from '@nats-io/transport-node';
import { assert } from '../../base/assert.ts';
import type { StateStore } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import { DEFAULT_LOG, logScope } from '../../wire/subject.ts';
import {
  API_ERROR,
  type ApiAnswer,
  callApi,
  getStored,
  listSubjects,
  refusedError,
} from '../api.ts';
import type { NatsLink } from '../connection.ts';

const STREAM = 'STATE';
/** CRC-32: five times as fast as a hash, and a cold start reads all of the state. */
const CHECKSUM_HEADER = 'Millrace-Crc32';
/** What objects carry that were written before there was the checksum. */
const HASH_HEADER = 'Millrace-Sha256';
const EXPECTED_SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';
/** One checkpoint chunk: large messages make durability cheap, this one still fits max_payload. */
export const OBJECT_BYTES_MAX = 524_288;
/** A chunk on a disk that is busy with fsync. */
const SAVE_TIMEOUT_MS = 10_000;
/** Removals in flight at once. */
const REMOVALS_MAX = 16;
const NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

export interface StateStoreOptions {
  readonly link: NatsLink;
  /** Default 'main'. */
  readonly log?: string;
}

export function createStateStore({ link, log = DEFAULT_LOG }: StateStoreOptions): StateStore {
  const prefix = `state.${logScope(log)}`;

  function subjectOf(name: string): string {
    assert(NAME.test(name), `'${name}' is a name of tokens joined by dots`);
    return prefix + name;
  }

  async function save(name: string, bytes: Uint8Array): Promise<void> {
    assert(bytes.length <= OBJECT_BYTES_MAX, `a state object of ${bytes.length} B is cut before`);
    const sent = headers();
    sent.set(CHECKSUM_HEADER, checksumOf(bytes));
    sent.set(EXPECTED_SEQUENCE, '0');
    const subject = subjectOf(name);
    const reply = await link.request(subject, bytes, {
      headers: sent,
      timeoutMs: SAVE_TIMEOUT_MS,
    });
    const answer = reply.json() as ApiAnswer<{ seq: number }>;
    if (answer.seq) return;
    if (answer.error?.err_code !== API_ERROR.wrongLastSequence) {
      throw fullError(name, refusedError(`a write to ${subject}`, answer.error));
    }
    // Written before: by this call when its first reply was lost, or it is another object.
    const stored = await load(name);
    if (stored && !Buffer.from(stored).equals(bytes)) throw corruptError(name, 'has other bytes');
  }

  /** A direct get is fast but may come from a follower that lags: only its hits are believed. */
  async function load(name: string): Promise<Uint8Array | null> {
    const direct = await link.request(`$JS.API.DIRECT.GET.${STREAM}.${subjectOf(name)}`, NOTHING);
    const { headers: found } = direct;
    if (found?.has('Nats-Sequence')) return checked(name, direct.data, (each) => found.get(each));
    const stored = await getStored(link, STREAM, { last_by_subj: subjectOf(name) });
    if (!stored) return null;
    const text = Buffer.from(stored.hdrs ?? '', 'base64').toString();
    const header = (each: string) => new RegExp(`\r\n${each}: ([0-9a-f]+)\r\n`).exec(text)?.[1];
    return checked(name, Buffer.from(stored.data ?? '', 'base64'), header);
  }

  async function removeOne(name: string): Promise<void> {
    const operation = `STREAM.PURGE.${STREAM}`;
    const answer = await callApi(link, operation, { filter: subjectOf(name) });
    if (answer.error) throw refusedError(operation, answer.error);
  }

  async function remove(names: readonly string[]): Promise<void> {
    for (let at = 0; at < names.length; at += REMOVALS_MAX) {
      await Promise.all(names.slice(at, at + REMOVALS_MAX).map(removeOne));
    }
  }

  async function list(begin: string): Promise<readonly string[]> {
    const wholeTokens = begin.slice(0, begin.lastIndexOf('.') + 1);
    const subjects = await listSubjects(link, STREAM, `${prefix}${wholeTokens}>`);
    return subjects
      .map((subject) => subject.slice(prefix.length))
      .filter((name) => name.startsWith(begin))
      .sort();
  }

  return { save, load, remove, list };
}

const NOTHING = new Uint8Array(0);
const checksumOf = (bytes: Uint8Array) => crc32(bytes).toString(16).padStart(8, '0');
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

type Header = (name: string) => string | undefined;

function checked(name: string, bytes: Uint8Array, header: Header): Uint8Array {
  const checksum = header(CHECKSUM_HEADER);
  const isWhole = checksum ? checksum === checksumOf(bytes) : header(HASH_HEADER) === hashOf(bytes);
  return isWhole ? bytes : refuseCorrupt(name);
}

/** Of the log it would be said that devices are refused; here nothing is but the checkpoint. */
function fullError(name: string, refused: OperatingError): OperatingError {
  if (refused.code !== 'LOG_FULL') return refused;
  return new OperatingError(
    'STATE_FULL',
    `No room for state object ${name} on stream ${STREAM}: ${refused.message} The checkpoint is ` +
      'tried again, the log keeps what it does not cover.',
    { where: { stream: STREAM, name } },
  );
}

function refuseCorrupt(name: string): never {
  throw corruptError(name, 'is not what was written');
}

function corruptError(name: string, what: string): OperatingError {
  return new OperatingError(
    'CHECKPOINT_CORRUPT',
    `State object ${name} on stream ${STREAM} ${what}. An older checkpoint is used; check ` +
      'the disk.',
    { where: { stream: STREAM, name } },
  );
}
