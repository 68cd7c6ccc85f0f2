/**
 * Lays a plan out as the decode plan that the kernel reads in partition memory (layout and
 * drawing: assembly/shared/plan-layout.ts). In: a plan that the registry has checked. Out: an
 * image of at most PLAN_BYTES_MAX bytes, position independent, equal for equal plans.
 */
import * as A from '../../../assembly/shared/abi.ts';
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { Plan } from '../../model/plan.ts';
import { STATUS_NAMES } from '../../model/status.ts';
import { fnv1a64 } from '../name-hash.ts';
import { writeChannel } from './channel-image.ts';
import { ImageWriter } from './image-writer.ts';
import { outputTables, type TableIndexes, writeTables } from './table-image.ts';

const encoder = new TextEncoder();

/** PLAN_TOO_LARGE when the plan has more than fits. */
export function planImage(plan: Plan): Uint8Array {
  assert(plan.channels.length <= A.CHANNELS_MAX, `at most ${A.CHANNELS_MAX} channels`);
  const writer = new ImageWriter(A.PLAN_BYTES_MAX);
  const header = writer.reserve(L.PLAN_HEADER_BYTES);
  assert(header === 0, 'the header comes first');
  writeNumbers(writer, plan);
  const log = writer.name(plan.log);
  writer.u32(L.PLAN_LOG_NAME_AT, log.at);
  writer.u32(L.PLAN_LOG_NAME_BYTES_AT, log.bytes);
  const { tables, indexes } = outputTables(plan);
  writeChannels(writer, plan, indexes);
  writer.u32(L.PLAN_TABLES_AT, writeTables(writer, tables));
  writer.u32(L.PLAN_TABLE_COUNT_AT, tables.length);
  writeStatusNames(writer);
  writeDevices(writer, plan.devicesAllowed);
  const image = writer.finish();
  new DataView(image.buffer).setUint32(L.PLAN_BYTES_AT, image.byteLength, true);
  return image;
}

function writeNumbers(writer: ImageWriter, plan: Plan): void {
  writer.u32(L.PLAN_MAGIC_AT, L.PLAN_MAGIC);
  writer.u32(L.PLAN_DEVICES_MAX_AT, plan.devicesMax);
  writer.u32(L.PLAN_IDS_PER_DEVICE_AT, plan.idsPerDevice);
  writer.u32(L.PLAN_CONTENTS_PER_DEVICE_AT, plan.contentsPerDevice);
  writer.u32(L.PLAN_TEXTS_MAX_AT, plan.textsMax);
  writer.u32(L.PLAN_QUALITY_AT, plan.quality ? 1 : 0);
  writer.u64(L.PLAN_QUALITY_RETENTION_AT, BigInt(plan.qualityRetentionMs));
  writer.u64(L.PLAN_ALERT_RETENTION_AT, BigInt(plan.alertRetentionMs));
  writer.u64(L.PLAN_DEDUP_HORIZON_AT, BigInt(plan.dedupHorizonMs));
  writer.u64(L.PLAN_DEAD_LETTER_RETENTION_AT, BigInt(plan.deadLetterRetentionMs));
  writer.u64(L.PLAN_SHADOW_INTERVAL_AT, BigInt(plan.shadowIntervalMs));
  writer.u32(L.PLAN_DEAD_LETTERS_AT, plan.deadLettersPerDeviceMinute);
  writer.u32(L.PLAN_CHANNEL_COUNT_AT, plan.channels.length);
}

function writeChannels(writer: ImageWriter, plan: Plan, indexes: TableIndexes): void {
  const channels = [...plan.channels].sort((left, right) => left.id - right.id);
  const list = writer.reserve(channels.length * 4);
  const idCount = (channels.at(-1)?.id ?? -1) + 1;
  assert(idCount <= 65536, 'channel ids are dense enough for a table of 65,536');
  const byId = writer.reserve(idCount * 4);
  const inUse: { key: Uint8Array; value: number }[] = [];
  channels.forEach((channel, i) => {
    const at = writeChannel(writer, channel, indexes);
    writer.u32(list + i * 4, at);
    writer.u32(byId + channel.id * 4, at);
    if (!channel.retired) inUse.push({ key: encoder.encode(channel.name), value: at });
  });
  const byName = writer.hashTable(inUse);
  writer.u32(L.PLAN_CHANNELS_AT, list);
  writer.u32(L.PLAN_BY_ID_AT, byId);
  writer.u32(L.PLAN_BY_ID_COUNT_AT, idCount);
  writer.u32(L.PLAN_BY_NAME_AT, byName.at);
  writer.u32(L.PLAN_BY_NAME_MASK_AT, byName.mask);
}

function writeStatusNames(writer: ImageWriter): void {
  const list = writer.reserve(STATUS_NAMES.length * 4);
  STATUS_NAMES.forEach((name, status) => {
    writer.u32(list + status * 4, writer.name(name).at - 1);
  });
  writer.u32(L.PLAN_STATUS_NAMES_AT, list);
}

function writeDevices(writer: ImageWriter, allowed: readonly string[] | null): void {
  if (allowed === null) return;
  const entries = [...new Set(allowed)]
    .map((identity) => encoder.encode(identity))
    .map((text) => ({ text, hash: fnv1a64(text) }))
    .sort((left, right) => (left.hash < right.hash ? -1 : left.hash > right.hash ? 1 : 0));
  const list = writer.reserve(entries.length * L.DEVICE_ENTRY_BYTES);
  entries.forEach(({ text, hash }, i) => {
    const at = list + i * L.DEVICE_ENTRY_BYTES;
    writer.u64(at, hash);
    writer.u32(at + 8, writer.append(text));
    writer.u32(at + 12, text.byteLength);
  });
  writer.u32(L.PLAN_STRICT_AT, 1);
  writer.u32(L.PLAN_DEVICES_AT, list);
  writer.u32(L.PLAN_DEVICE_COUNT_AT, entries.length);
}
