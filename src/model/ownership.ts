/**
 * The ownership record of a partition: lease, claim and checkpoints at once (EXACTLY_ONCE §4), as
 * plain data that is JSON in stream CKPT. The newest checkpoint stands in the record itself, older
 * ones that are retained in `history`. No I/O; whoever reads checkpoints asks `checkpointsOf`.
 */

/** Sequence and log time as decimal text: JSON has no bigint. */
export interface StoredIdentity {
  readonly sequence: string;
  readonly logTimeNs: string;
  readonly hash: string;
}

export const storedIdentity = (identity: {
  readonly sequence: bigint;
  readonly logTimeNs: bigint;
  readonly hash: string;
}): StoredIdentity => ({
  sequence: `${identity.sequence}`,
  logTimeNs: `${identity.logTimeNs}`,
  hash: identity.hash,
});

/** A position whose state is stored. */
export interface Checkpoint {
  /** Log sequence up to which everything is in state, rows and facts. 0 = nothing yet. */
  readonly position: string;
  /** Of the message at `position`; null: nothing was applied yet. */
  readonly identity: StoredIdentity | null;
  /** Names of state objects, to be applied in this order. */
  readonly objects: readonly string[];
  readonly rootHash: string;
  /** State object that holds the text of the plan in force at `position`; '' before the first. */
  readonly plan: string;
  /** Generation that the state was computed under; the record's own may be a later one. */
  readonly stateGeneration: number;
}

export interface OwnershipRecord extends Checkpoint {
  /** `<instance>:<process>`; '' when the partition was released. */
  readonly owner: string;
  /** Differs in every write, so that a lost reply can be recognised as one's own. */
  readonly nonce: string;
  readonly epoch: number;
  readonly generation: number;
  /**
   * Where the generation began: rows of older ones from above it do not count. Null once a
   * checkpoint of the generation exists; until then its row in `generations` may be missing.
   */
  readonly cut: string | null;
  /** One identity per 1,024 messages, newest last, at most 64. */
  readonly identities: readonly StoredIdentity[];
  /** Older checkpoints that are retained, newest first. */
  readonly history: readonly Checkpoint[];
  /** The plan's text in records that were written before it was a state object; else ''. */
  readonly planText: string;
  readonly semanticsVersion: number;
  /** Of this record and of what its objects hold (limit.ts, LAYOUT_VERSION). */
  readonly layoutVersion: number;
}

export const NO_CHECKPOINT: Checkpoint = {
  position: '0',
  identity: null,
  objects: [],
  rootHash: '',
  plan: '',
  stateGeneration: 1,
};

/** All retained checkpoints, newest first; none before the first. */
export function checkpointsOf(record: OwnershipRecord): readonly Checkpoint[] {
  const newest = record.objects.length > 0 ? [checkpointOf(record)] : [];
  const position = BigInt(record.position);
  return [...newest, ...record.history.filter((each) => BigInt(each.position) < position)];
}

/** The newest checkpoint alone. */
export function checkpointOf(record: Checkpoint): Checkpoint {
  const { position, identity, objects, rootHash, plan, stateGeneration } = record;
  return { position, identity, objects, rootHash, plan, stateGeneration };
}

/** Log time of the last applied message; 0 before the first. */
export function takenAtMs({ identity }: Checkpoint): number {
  return identity ? Number(BigInt(identity.logTimeNs) / 1_000_000n) : 0;
}

/** Every state object that the record names. */
export function objectsOf(record: OwnershipRecord): ReadonlySet<string> {
  const names = checkpointsOf(record).flatMap(({ objects, plan }) => [...objects, plan]);
  return new Set([...names, record.plan].filter((name) => name !== ''));
}
