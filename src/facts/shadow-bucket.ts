/**
 * The newest shadow of each device in the key-value bucket `shadow`. In: shadow facts, in any
 * order, also older ones that a replay emits again. Out: under `<tenant>.<site>.<device>` the one
 * with the highest version. Invariant: an older version never overwrites a newer one, whoever wrote
 * it: each put expects the revision whose version was compared, and a conflict reads again.
 */
import { headers, type Msg } from '@nats-io/transport-node';
import { OperatingError } from '../model/error.ts';
import { type ShadowFact, versionNumber } from '../model/fact.ts';
import { type FactLink, publish } from './publication.ts';

export const SHADOW_BUCKET = 'shadow';
const STREAM = `KV_${SHADOW_BUCKET}`;
const VERSION_HEADER = 'Millrace-Version';
const EXPECTED_SEQUENCE = 'Nats-Expected-Last-Subject-Sequence';
const SEQUENCE_HEADER = 'Nats-Sequence';
/** Keys whose revision is remembered; others are read before they are written. About 200 B each. */
const REMEMBERED_MAX = 50_000;
/** Other writers of one key at the same time: two owners at most, for a moment. */
const CONFLICTS_MAX = 8;
const NOT_FOUND = 404;
const NOTHING = new Uint8Array(0);

interface Stored {
  readonly revision: bigint;
  /** -1n: nothing there, or not written by us. */
  readonly version: bigint;
}

export class ShadowBucket {
  readonly #link: FactLink;
  readonly #encode: (fact: ShadowFact) => Uint8Array;
  /** In the order of use: the first is forgotten first. */
  readonly #remembered = new Map<string, Stored>();

  constructor(link: FactLink, encode: (fact: ShadowFact) => Uint8Array) {
    this.#link = link;
    this.#encode = encode;
  }

  /** At most one call per key at a time (the lane sees to it). */
  async put(fact: ShadowFact): Promise<void> {
    const key = keyOf(fact);
    const version = versionNumber(fact.version);
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt += 1) {
      const stored = this.#remembered.get(key) ?? (await this.#read(key));
      if (stored.version >= version) return this.#remember(key, stored);
      // Forgotten until it is known how it ends: a lost reply leaves a revision nobody knows.
      this.#remembered.delete(key);
      const sent = headers();
      sent.set(EXPECTED_SEQUENCE, String(stored.revision));
      sent.set(VERSION_HEADER, String(version));
      const revision = await publish(this.#link, subjectOf(key), this.#encode(fact), sent);
      if (revision !== 'conflict') return this.#remember(key, { revision, version });
    }
    throw new OperatingError(
      'APPEND_REFUSED',
      `The shadow of ${key} changed under ${CONFLICTS_MAX} writes; it is tried again.`,
      { where: { key } },
    );
  }

  #remember(key: string, stored: Stored): void {
    this.#remembered.delete(key);
    this.#remembered.set(key, stored);
    if (this.#remembered.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#remembered.keys();
    this.#remembered.delete(oldest!);
  }

  async #read(key: string): Promise<Stored> {
    const subject = `$JS.API.DIRECT.GET.${STREAM}.${subjectOf(key)}`;
    const found = await this.#link.request(subject, NOTHING);
    const sequence = found.headers?.get(SEQUENCE_HEADER);
    if (sequence) return { revision: BigInt(sequence), version: versionOf(found) };
    if (found.headers?.code === NOT_FOUND) return { revision: 0n, version: -1n };
    throw new OperatingError(
      'APPEND_REFUSED',
      `NATS did not say what ${subject} holds: ${found.headers?.status ?? 'an empty answer'}.`,
      { where: { key } },
    );
  }
}

export const keyOf = ({ identity }: ShadowFact): string =>
  `${identity.tenant}.${identity.site}.${identity.device}`;

const subjectOf = (key: string) => `$KV.${SHADOW_BUCKET}.${key}`;

function versionOf(found: Msg): bigint {
  const text = found.headers?.get(VERSION_HEADER) ?? '';
  return /^\d+$/.test(text) ? BigInt(text) : -1n;
}
