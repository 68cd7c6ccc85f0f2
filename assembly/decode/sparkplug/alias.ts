/**
 * Aliases while a Sparkplug message is read: those that the device remembers of one name space, and
 * those that a birth binds. Layouts: alias-list.ts.
 */
import { Decoding, outOf, refuse } from '../../cursor';
import { LIMIT_EXCEEDED } from '../../shared/status';
import { ALIASES_MAX } from '../../shared/abi';
import { ALIAS_BYTES, Alias, AliasList, aliasListAt, listedAlias } from '../alias-list';

@inline
function remembered(d: Decoding, index: u32): Alias {
  return changetype<Alias>(d.situation.aliasesAt + <usize>index * ALIAS_BYTES);
}
@inline
function isOf(alias: Alias, channel: u32, space: u32): bool {
  return alias.space == space && alias.channel == channel;
}

/** First place of the name space among what the device remembers; its entries are consecutive. */
export function firstRemembered(d: Decoding, channel: u32, space: u32): u32 {
  const count = d.situation.aliasCount;
  let first: u32 = 0;
  while (first < count && !isOf(remembered(d, first), channel, space)) first++;
  return first;
}

export function countRemembered(d: Decoding, first: u32, channel: u32, space: u32): u32 {
  const count = d.situation.aliasCount;
  let end = first;
  while (end < count && isOf(remembered(d, end), channel, space)) end++;
  return end - first;
}

/** Address of the entry of an alias among `count` from `first` on, 0 = it is unknown. */
export function findAlias(d: Decoding, alias: u64, first: u32, count: u32): usize {
  let low = first;
  let high = first + count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const entry = remembered(d, middle);
    if (entry.alias == alias) return changetype<usize>(entry);
    if (entry.alias < alias) low = middle + 1;
    else high = middle;
  }
  return 0;
}

/** A binding of a birth; `others` are those that the device goes on remembering. */
export function bindAlias(
  d: Decoding, alias: u64, ordinal: u32, dataType: u32, others: u32,
): void {
  const list = aliasListAt(outOf(d));
  const index = changetype<AliasList>(list).count;
  if (index + others >= <u32>ALIASES_MAX) {
    refuse(d, LIMIT_EXCEEDED, d.payload);
    return;
  }
  const entry = listedAlias(list, index);
  entry.alias = alias;
  entry.ordinal = ordinal;
  entry.dataType = dataType;
  // Of one alias the last binding counts: until the list is sorted this is the order.
  entry.space = index;
  changetype<AliasList>(list).count = index + 1;
}

/** The list of a birth as others read it: ascending, each alias once, with channel and space. */
export function closeAliases(d: Decoding, channel: u32, space: u32): void {
  const list = aliasListAt(outOf(d));
  const count = changetype<AliasList>(list).count;
  if (!isAscending(list, count)) sort(list, count);
  let kept: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const entry = listedAlias(list, i);
    const isLast = i + 1 == count || listedAlias(list, i + 1).alias != entry.alias;
    if (!isLast) continue;
    const to = listedAlias(list, kept++);
    if (to != entry) memory.copy(changetype<usize>(to), changetype<usize>(entry), ALIAS_BYTES);
    to.channel = channel;
    to.space = space;
  }
  changetype<AliasList>(list).count = kept;
  changetype<AliasList>(list).space = space;
}

function isAscending(list: usize, count: u32): bool {
  for (let i: u32 = 1; i < count; i++) {
    if (listedAlias(list, i - 1).alias > listedAlias(list, i).alias) return false;
  }
  return true;
}

@inline
function isBelow(left: Alias, right: Alias): bool {
  return left.alias != right.alias ? left.alias < right.alias : left.space < right.space;
}

/** Heap sort by alias, then by order: in place, whatever the payload says. */
function sort(list: usize, count: u32): void {
  for (let root = count >> 1; root > 0; root--) sink(list, root - 1, count);
  for (let end = count - 1; end > 0; end--) {
    swap(listedAlias(list, 0), listedAlias(list, end));
    sink(list, 0, end);
  }
}

function sink(list: usize, root: u32, end: u32): void {
  while (true) {
    let child = root * 2 + 1;
    if (child >= end) return;
    if (child + 1 < end && isBelow(listedAlias(list, child), listedAlias(list, child + 1))) child++;
    if (!isBelow(listedAlias(list, root), listedAlias(list, child))) return;
    swap(listedAlias(list, root), listedAlias(list, child));
    root = child;
  }
}

function swap(left: Alias, right: Alias): void {
  const alias = left.alias;
  const ordinal = left.ordinal;
  const dataType = left.dataType;
  const space = left.space;
  left.alias = right.alias;
  left.ordinal = right.ordinal;
  left.dataType = right.dataType;
  left.space = right.space;
  right.alias = alias;
  right.ordinal = ordinal;
  right.dataType = dataType;
  right.space = space;
}
