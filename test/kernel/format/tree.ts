/**
 * The shape of a payload that a schema describes. In: a channel's paths. Out: a tree of what they
 * lead through and to, in an order that later plans only add to.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';

/** One entry of a map, or one element of an array, by which a path ends. */
export type Inside = { readonly key: string } | { readonly index: number };

export type Leaf =
  | { readonly role: 'metric'; readonly metric: PlanMetric; readonly inside: Inside | null }
  | { readonly role: 'time' }
  | { readonly role: 'id' };
export type Node = Leaf | Branch | { readonly role: 'samples'; readonly element: Branch };

export interface Branch {
  readonly role: 'branch';
  readonly members: Map<string, Node>;
}

const branch = (): Branch => ({ role: 'branch', members: new Map() });

export function treeOf(channel: PlanChannel): Branch {
  const { samplesPath, timePath, timeOf, eventIdPath } = channel;
  const root = branch();
  const sample = samplesPath.length === 0 ? root : branch();
  if (sample !== root) put(root, samplesPath, { role: 'samples', element: sample });
  if (timePath.length > 0) {
    put(timeOf === 'record' ? root : sample, timePath, { role: 'time' });
  }
  if (eventIdPath.length > 0) put(root, eventIdPath, { role: 'id' });
  for (const metric of channel.metrics) {
    const inside = insideOf(channel, metric);
    const path = inside === null ? metric.path : metric.path.slice(0, -1);
    put(sample, path, { role: 'metric', metric, inside });
  }
  return root;
}

function put(root: Branch, path: readonly string[], node: Node): void {
  let here = root;
  for (const name of path.slice(0, -1)) {
    const next = here.members.get(name);
    const inner = next?.role === 'branch' ? next : branch();
    here.members.set(name, inner);
    here = inner;
  }
  here.members.set(path.at(-1)!, node);
}

const KEY = 'a key';

/** Some metrics lie in a map, and in Protobuf some in a repeated field. */
export function insideOf({ format }: PlanChannel, { ordinal }: PlanMetric): Inside | null {
  if (format !== 'avro' && format !== 'protobuf-message') return null;
  if (ordinal % 6 === 4) return { key: KEY };
  return ordinal % 6 === 5 && format === 'protobuf-message' ? { index: ordinal % 3 } : null;
}

/** The choice that a schema makes for a metric, always the same. */
export const variantOf = <T>(
  channel: PlanChannel,
  { ordinal }: PlanMetric,
  from: readonly T[],
): T => from[(ordinal + channel.id) % from.length]!;
