/**
 * Reads the plan image (layout: shared/plan-layout.ts). `plan` is the address of the image;
 * channels, metrics, windows, nodes and members are addresses inside it. Nothing here writes. The
 * image comes from the host's own writer; the kernel trusts every offset in it.
 */
import * as P from './shared/plan-layout';
import { channelName, channelNameBytes } from './channel';
import { equalBytes, fnv1a64, fnv1a64Byte, nameHash, FNV_OFFSET } from './text';

// --- plan --------------------------------------------------------------------------------------
@inline
export function planMagicOk(plan: usize): bool {
  return load<u32>(plan, P.PLAN_MAGIC_AT) == P.PLAN_MAGIC;
}
@inline
export function planBytes(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_BYTES_AT);
}
@inline
export function planLogName(plan: usize): usize {
  return plan + load<u32>(plan, P.PLAN_LOG_NAME_AT);
}
@inline
export function planLogNameBytes(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_LOG_NAME_BYTES_AT);
}
@inline
export function planDevicesMax(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_DEVICES_MAX_AT);
}
@inline
export function planIdsPerDevice(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_IDS_PER_DEVICE_AT);
}
@inline
export function planDedupHorizonMs(plan: usize): i64 {
  return load<i64>(plan, P.PLAN_DEDUP_HORIZON_AT);
}
@inline
export function planDeadLetterRetentionMs(plan: usize): i64 {
  return load<i64>(plan, P.PLAN_DEAD_LETTER_RETENTION_AT);
}
@inline
export function planShadowIntervalMs(plan: usize): i64 {
  return load<i64>(plan, P.PLAN_SHADOW_INTERVAL_AT);
}
@inline
export function planDeadLettersPerDeviceMinute(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_DEAD_LETTERS_AT);
}
@inline
export function planContentsPerDevice(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_CONTENTS_PER_DEVICE_AT);
}
@inline
export function planTextsMax(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_TEXTS_MAX_AT);
}
@inline
export function planCountsQuality(plan: usize): bool {
  return load<u32>(plan, P.PLAN_QUALITY_AT) != 0;
}
@inline
export function planQualityRetentionMs(plan: usize): i64 {
  return load<i64>(plan, P.PLAN_QUALITY_RETENTION_AT);
}
@inline
export function planAlertRetentionMs(plan: usize): i64 {
  return load<i64>(plan, P.PLAN_ALERT_RETENTION_AT);
}
@inline
export function planIsStrict(plan: usize): bool {
  return load<u32>(plan, P.PLAN_STRICT_AT) != 0;
}
@inline
export function planChannelCount(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_CHANNEL_COUNT_AT);
}

/** Channels in ascending order of their ids, retired ones included. */
@inline
export function planChannelAt(plan: usize, index: u32): usize {
  return plan + load<u32>(plan + load<u32>(plan, P.PLAN_CHANNELS_AT) + (<usize>index << 2));
}

/** 0 when there is no such id; retired channels are found. */
@inline
export function planChannelById(plan: usize, id: u32): usize {
  if (id >= load<u32>(plan, P.PLAN_BY_ID_COUNT_AT)) return 0;
  const offset = load<u32>(plan + load<u32>(plan, P.PLAN_BY_ID_AT) + (<usize>id << 2));
  return offset == 0 ? 0 : plan + offset;
}

/** 0 when the name is unknown or its channel retired. */
export function planFindChannel(plan: usize, name: usize, nameBytes: u32): usize {
  const slots = plan + load<u32>(plan, P.PLAN_BY_NAME_AT);
  const mask = load<u32>(plan, P.PLAN_BY_NAME_MASK_AT);
  const hash = nameHash(name, nameBytes);
  let slot = hash & mask;
  while (true) {
    const at = slots + (<usize>slot << 3);
    const offset = load<u32>(at, 4);
    if (offset == 0) return 0;
    if (load<u32>(at) == hash) {
      const channel = plan + offset;
      if (
        channelNameBytes(channel) == nameBytes &&
        equalBytes(channelName(channel), name, nameBytes)
      ) return channel;
    }
    slot = (slot + 1) & mask;
  }
}

/** Hash of a device's identity as the plan lists it: FNV-1a 64 of 'tenant/site/device'. */
function listedHash(
  tenant: usize, tenantBytes: u32, site: usize, siteBytes: u32, device: usize, deviceBytes: u32,
): u64 {
  let hash = fnv1a64Byte(fnv1a64(FNV_OFFSET, tenant, tenantBytes), 0x2f);
  hash = fnv1a64Byte(fnv1a64(hash, site, siteBytes), 0x2f);
  return fnv1a64(hash, device, deviceBytes);
}

/** True when the plan is not strict, or lists the device of an identity (identity.ts). */
@inline
export function planDeviceAllowed(plan: usize, identity: usize): bool {
  return !planIsStrict(plan) || isListed(plan, identity);
}

function isListed(plan: usize, identity: usize): bool {
  const tenant = identity + 1;
  const tenantBytes = <u32>load<u8>(identity);
  const site = tenant + tenantBytes + 1;
  const siteBytes = <u32>load<u8>(site - 1);
  const device = site + siteBytes + 1;
  const deviceBytes = <u32>load<u8>(device - 1);
  const hash = listedHash(tenant, tenantBytes, site, siteBytes, device, deviceBytes);
  const entries = plan + load<u32>(plan, P.PLAN_DEVICES_AT);
  const count = load<u32>(plan, P.PLAN_DEVICE_COUNT_AT);
  let low: u32 = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (load<u64>(entries + <usize>middle * P.DEVICE_ENTRY_BYTES) < hash) low = middle + 1;
    else high = middle;
  }
  const bytes = tenantBytes + siteBytes + deviceBytes + 2;
  for (; low < count; low++) {
    const entry = entries + <usize>low * P.DEVICE_ENTRY_BYTES;
    if (load<u64>(entry) != hash) return false;
    if (load<u32>(entry, 12) != bytes) continue;
    const text = plan + load<u32>(entry, 8);
    const siteAt = text + tenantBytes + 1;
    const deviceAt = siteAt + siteBytes + 1;
    if (
      load<u8>(siteAt - 1) == 0x2f && load<u8>(deviceAt - 1) == 0x2f &&
      equalBytes(text, tenant, tenantBytes) && equalBytes(siteAt, site, siteBytes) &&
      equalBytes(deviceAt, device, deviceBytes)
    ) return true;
  }
  return false;
}

/** A length byte and the status's name; the whole thing is a Native string. */
@inline
export function planStatusText(plan: usize, status: i32): usize {
  return plan + load<u32>(plan + load<u32>(plan, P.PLAN_STATUS_NAMES_AT) + (<usize>status << 2));
}
/** Length byte included. */
@inline
export function planStatusTextBytes(plan: usize, status: i32): u32 {
  return <u32>load<u8>(planStatusText(plan, status)) + 1;
}

// --- output tables: TABLE_LEDGER …, windowTable(channel, index), channelTable(channel) -----------
@inline
export function planTableCount(plan: usize): u32 {
  return load<u32>(plan, P.PLAN_TABLE_COUNT_AT);
}
@inline
function tableAt(plan: usize, table: u32): usize {
  return plan + load<u32>(plan, P.PLAN_TABLES_AT) + <usize>table * P.TABLE_BYTES;
}
@inline
function columnAt(plan: usize, table: u32, column: u32): usize {
  return plan + load<u32>(tableAt(plan, table), P.TABLE_COLUMNS_AT) + (<usize>column << 3);
}
@inline
export function planTableName(plan: usize, table: u32): usize {
  return plan + load<u32>(tableAt(plan, table), P.TABLE_NAME_AT);
}
@inline
export function planTableNameBytes(plan: usize, table: u32): u32 {
  return load<u32>(tableAt(plan, table), P.TABLE_NAME_BYTES_AT);
}
@inline
export function planTableColumnCount(plan: usize, table: u32): u32 {
  return load<u32>(tableAt(plan, table), P.TABLE_COLUMN_COUNT_AT);
}
/** Bytes to put before a column's values in a Native block: varint, name, varint, type. */
@inline
export function planTableColumn(plan: usize, table: u32, column: u32): usize {
  return plan + load<u32>(columnAt(plan, table, column));
}
@inline
export function planTableColumnBytes(plan: usize, table: u32, column: u32): u32 {
  return load<u32>(columnAt(plan, table, column), 4);
}
