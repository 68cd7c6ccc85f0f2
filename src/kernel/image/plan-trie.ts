/**
 * The JSON paths of a channel as a trie in the plan image (nodes and members: plan-layout.ts). In:
 * the paths of metrics in use, time, event id and samples. Out: the offset of the root node and the
 * number of members. A path is a member name per level; equal paths share a member with several
 * actions. Below the member of the array of samples lies the trie of its elements.
 */
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel } from '../../model/plan.ts';
import { type ImageWriter, slotMask } from './image-writer.ts';
import { checkPath } from './plan-path.ts';

type Level = Map<string, Member>;

interface Member {
  readonly key: Uint8Array;
  readonly index: number;
  readonly actions: number[];
  children: Level;
  /** Of the array of samples: the first index of the members of its elements. */
  elementIndex: number;
}

export interface Trie {
  readonly root: number;
  /** One more than the greatest index of a member. */
  readonly memberCount: number;
}

/** Bits of a word in the set of members seen, which is cleared word by word for each element. */
const WORD_BITS = 64;
const QUOTE = Buffer.from('"');
const QUOTE_AND_COLON = Buffer.from('":');
/** What a JSON string holds only as an escape. */
const ESCAPED_ONLY = /["\\\x00-\x1f]/;

export function writeTrie(writer: ImageWriter, channel: PlanChannel): Trie {
  const builder = new TrieBuilder(channel.name);
  const root: Level = new Map();
  let sample = root;
  if (channel.samplesPath.length > 0) {
    sample = new Map();
    builder.add(root, channel.samplesPath, L.ACTION_SAMPLES);
  }
  const time = channel.timeOf === 'record' ? root : sample;
  // A path leads through objects only: nothing of the record lies in the array itself.
  const isThere = (path: readonly string[]) =>
    path.length > 0 && (sample === root || !leadsThrough(path, channel.samplesPath));
  if (time === root && isThere(channel.timePath)) {
    builder.add(root, channel.timePath, L.ACTION_TIME);
  }
  if (isThere(channel.eventIdPath)) builder.add(root, channel.eventIdPath, L.ACTION_EVENT_ID);
  const array = builder.samples;
  if (array !== null) {
    builder.alignIndex();
    array.children = sample;
    array.elementIndex = builder.memberCount;
  }
  if (time !== root && channel.timePath.length > 0) {
    builder.add(sample, channel.timePath, L.ACTION_TIME);
  }
  for (const { retired, path, ordinal } of channel.metrics) {
    if (!retired) builder.add(sample, path, ordinal);
  }
  assert(builder.memberCount <= L.MEMBERS_MAX, 'more members than paths of full depth have');
  return { root: writeNode(writer, root), memberCount: builder.memberCount };
}

function leadsThrough(path: readonly string[], array: readonly string[]): boolean {
  return path.length > array.length && array.every((name, depth) => path[depth] === name);
}

class TrieBuilder {
  memberCount = 0;
  /** The member of the array of samples. */
  samples: Member | null = null;
  readonly #channel: string;

  constructor(channel: string) {
    this.#channel = channel;
  }

  add(from: Level, path: readonly string[], action: number): void {
    checkPath(path, this.#channel);
    let level = from;
    path.forEach((name, depth) => {
      const member = level.get(name) ?? this.#create(level, name);
      if (depth === path.length - 1) {
        member.actions.push(action);
        if (action === L.ACTION_SAMPLES) this.samples = member;
      }
      level = member.children;
    });
  }

  alignIndex(): void {
    this.memberCount = Math.ceil(this.memberCount / WORD_BITS) * WORD_BITS;
  }

  #create(level: Level, name: string): Member {
    const key = new TextEncoder().encode(name);
    const index = this.memberCount++;
    const member = { key, index, actions: [], children: new Map(), elementIndex: 0 };
    level.set(name, member);
    return member;
  }
}

function writeNode(writer: ImageWriter, members: ReadonlyMap<string, Member>): number {
  const mask = slotMask(members.size);
  const node = writer.reserve(L.NODE_SLOTS_AT + (mask + 1) * L.SLOT_BYTES);
  writer.u32(node + L.NODE_MASK_AT, mask);
  let lengths = 0n;
  for (const member of members.values()) {
    lengths |= 1n << BigInt(member.key.byteLength % WORD_BITS);
    const slots = { at: node + L.NODE_SLOTS_AT, mask };
    writer.addSlot(slots, member.key, writeMember(writer, member) - node);
  }
  writer.u64(node + L.NODE_LENGTHS_AT, lengths);
  return node;
}

function writeMember(writer: ImageWriter, member: Member): number {
  const at = writer.reserve(L.MEMBER_ACTIONS_AT + member.actions.length * 4);
  writer.u32(at + L.MEMBER_KEY_BYTES_AT, member.key.byteLength);
  writer.u32(at + L.MEMBER_INDEX_AT, member.index);
  writer.u32(at + L.MEMBER_ACTION_COUNT_AT, member.actions.length);
  member.actions.forEach((action, i) => {
    writer.u32(at + L.MEMBER_ACTIONS_AT + i * 4, action);
  });
  writer.u32(at + L.MEMBER_ELEMENT_INDEX_AT, member.elementIndex);
  const quoted = Buffer.concat([QUOTE, member.key, QUOTE_AND_COLON]);
  writer.u32(at + L.MEMBER_KEY_AT, writer.append(quoted) + QUOTE.byteLength - at);
  const isPlain = !ESCAPED_ONLY.test(Buffer.from(member.key).toString());
  writer.u32(at + L.MEMBER_QUOTED_BYTES_AT, isPlain ? quoted.byteLength : 0);
  if (member.children.size > 0) {
    writer.u32(at + L.MEMBER_CHILD_AT, writeNode(writer, member.children) - at);
  }
  return at;
}
