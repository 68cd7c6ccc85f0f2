/**
 * Who should own and who should follow which partition. In: the members that are there, what an
 * operator pinned. Out: one seat per partition, the same on every member that sees the same others,
 * so nobody needs to lead. Rendezvous hashing with a bound: a member that comes or goes moves few
 * partitions, and none gets more than its share.
 */
import { createHash } from 'node:crypto';

export interface Candidate {
  readonly id: string;
  readonly draining: boolean;
}

export interface Seat {
  /** Null when nobody may own anything. */
  readonly owner: string | null;
  /** Best first. */
  readonly standbys: readonly string[];
}

export interface PlacementOptions {
  readonly partitions: number;
  readonly standbys: number;
  readonly pins: ReadonlyMap<number, string>;
}

export function place(members: readonly Candidate[], options: PlacementOptions): readonly Seat[] {
  const ids = members.filter(({ draining }) => !draining).map(({ id }) => id);
  const share = Math.ceil(options.partitions / Math.max(1, ids.length));
  const owned = new Load(share);
  const followed = new Load(share * options.standbys);
  const partitions = Array.from({ length: options.partitions }, (_, partition) => partition);
  const ranks = partitions.map((partition) => rank(ids, partition));
  const owners = new Map<number, string>();
  // What is pinned has its place before the rest is shared out.
  for (const partition of partitions.filter((each) => ids.includes(options.pins.get(each) ?? ''))) {
    const pinned = options.pins.get(partition)!;
    owned.add(pinned);
    owners.set(partition, pinned);
  }
  return partitions.map((partition) => {
    const ranking = ranks[partition]!;
    const owner = owners.get(partition) ?? owned.take(ranking);
    const others = ranking.filter((id) => id !== owner);
    const standbys: string[] = [];
    while (standbys.length < Math.min(options.standbys, others.length)) {
      standbys.push(followed.take(others.filter((id) => !standbys.includes(id)))!);
    }
    return { owner, standbys };
  });
}

/** Partitions per member, at most `share` each as long as somebody has less. */
class Load {
  readonly #share: number;
  readonly #counts = new Map<string, number>();

  constructor(share: number) {
    this.#share = share;
  }

  add(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  take(ranking: readonly string[]): string | null {
    const id = ranking.find((each) => (this.#counts.get(each) ?? 0) < this.#share) ?? ranking[0];
    if (id === undefined) return null;
    this.add(id);
    return id;
  }
}

/** Highest random weight first: depends on the pair alone, not on who else is there. */
function rank(ids: readonly string[], partition: number): string[] {
  const weight = (id: string) => createHash('sha256').update(`${id}/${partition}`).digest('hex');
  return ids
    .map((id) => [weight(id), id] as const)
    .sort(([left], [right]) => (left < right ? 1 : -1))
    .map(([, id]) => id);
}
