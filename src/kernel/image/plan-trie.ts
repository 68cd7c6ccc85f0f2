/**
 * The JSON paths of a channel as a trie in the plan image (nodes and members: plan-layout.ts). In:
 * the paths of metrics in use, time and event id. Out: the offset of the root node and the number
 * of members. A path is a member name per level; equal paths share a member with several actions.
 */
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel } from '../../model/plan.ts';
import { type ImageWriter, slotMask } from './image-writer.ts';
import { checkPath } from './plan-path.ts';

interface Member {
  readonly key: Uint8Array;
  readonly index: number;
  readonly actions: number[];
  readonly children: Map<string, Member>;
}

export interface Trie {
  readonly root: number;
  readonly memberCount: number;
}

export function writeTrie(writer: ImageWriter, channel: PlanChannel): Trie {
  const root = new Map<string, Member>();
  let memberCount = 0;
  const add = (path: readonly string[], action: number): void => {
    checkPath(path, channel.name);
    let level = root;
    path.forEach((name, depth) => {
      let member = level.get(name);
      if (member === undefined) {
        const key = new TextEncoder().encode(name);
        member = { key, index: memberCount++, actions: [], children: new Map() };
        level.set(name, member);
      }
      if (depth === path.length - 1) member.actions.push(action);
      level = member.children;
    });
  };
  if (channel.timePath.length > 0) add(channel.timePath, L.ACTION_TIME);
  if (channel.eventIdPath.length > 0) add(channel.eventIdPath, L.ACTION_EVENT_ID);
  for (const metric of channel.metrics) if (!metric.retired) add(metric.path, metric.ordinal);
  assert(memberCount <= L.MEMBERS_MAX, 'more members than paths of full depth have');
  return { root: writeNode(writer, root), memberCount };
}

function writeNode(writer: ImageWriter, members: ReadonlyMap<string, Member>): number {
  const mask = slotMask(members.size);
  const node = writer.reserve(L.NODE_SLOTS_AT + (mask + 1) * L.SLOT_BYTES);
  writer.u32(node + L.NODE_MASK_AT, mask);
  for (const member of members.values()) {
    const slots = { at: node + L.NODE_SLOTS_AT, mask };
    writer.addSlot(slots, member.key, writeMember(writer, member) - node);
  }
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
  writer.u32(at + L.MEMBER_KEY_AT, writer.append(member.key) - at);
  if (member.children.size > 0) {
    writer.u32(at + L.MEMBER_CHILD_AT, writeNode(writer, member.children) - at);
  }
  return at;
}
