/**
 * Keys of JSON objects against the members of a node of the plan's trie (layout:
 * shared/plan-layout.ts): one that is expected, compared as it is written, or any, by its hash.
 */
import { Decoding, textBuffer } from '../cursor';
import * as P from '../shared/plan-layout';
import { equalBytes, equalNames, nameHash } from '../text';
import { unescape } from './json-text';

/** How many bytes the member's key takes at `at` with its quotes and colon; 0 = it is not there. */
@inline
export function quotedBytesAt(member: usize, at: usize, end: usize): u32 {
  const bytes = load<u32>(member, P.MEMBER_QUOTED_BYTES_AT);
  if (at + bytes > end) return 0;
  const quoted = member + load<u32>(member, P.MEMBER_KEY_AT) - 1;
  // Behind every key the image has 16 bytes to read; behind a payload nothing may be read.
  const same = at + 16 <= end ? equalNames(quoted, at, bytes) : equalBytes(quoted, at, bytes);
  return same ? bytes : 0;
}

/** The node's member with the key [at, end), escapes resolved when d.escaped; 0 = none. */
export function findMember(d: Decoding, node: usize, at: usize, end: usize): usize {
  let bytes = <u32>(end - at);
  if (d.escaped != 0) {
    const text = textBuffer(d);
    bytes = unescape(d, at, end, text, P.KEY_BYTES_MAX);
    at = text;
  }
  const lengths = load<u64>(node, P.NODE_LENGTHS_AT) >> bytes;
  if ((lengths & 1) == 0 || bytes > <u32>P.KEY_BYTES_MAX) return 0;
  const hash = nameHash(at, bytes);
  const mask = load<u32>(node, P.NODE_MASK_AT);
  let slot = hash & mask;
  while (true) {
    const slotAt = node + (<usize>slot << 3);
    const offset = load<u32>(slotAt, P.NODE_SLOTS_AT + 4);
    if (offset == 0) return 0;
    if (load<u32>(slotAt, P.NODE_SLOTS_AT) == hash) {
      const member = node + offset;
      const key = member + load<u32>(member, P.MEMBER_KEY_AT);
      const keyBytes = load<u32>(member, P.MEMBER_KEY_BYTES_AT);
      if (keyBytes == bytes && equalBytes(key, at, bytes)) return member;
    }
    slot = (slot + 1) & mask;
  }
}
