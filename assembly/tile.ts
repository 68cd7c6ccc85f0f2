/**
 * Stored samples as they are staged: by column, in tiles of TILE_ROWS rows that are linked into the
 * list of their channel's table. A column of the finished block is a copy of its pieces, so that no
 * row is ever gathered field by field.
 *
 *   tile ┌ Tile ┬ columns of u64: event … device time, a value per metric
 *        ┬ columns of u32: ordinal, flags, expires ┬ tenants ┬ sites ┬ devices ┐
 *
 * In: a sample that is stored. Out: its row, whose values the caller fills.
 */
import { channelMetricCount, channelRetentionMs, channelTable } from './channel';
import { Device, identityOf } from './device';
import { durable } from './memory';
import { StageTable, beginTable, expiresAt, stageRoom, stageTable } from './rows';
import { copyBlocks } from './text';
import { turnOf } from './work';

@unmanaged
export class Tile {
  next: usize;
  rows: u32;
  tenantBytes: u32;
  siteBytes: u32;
  deviceBytes: u32;
  zero: u32;
}
const TILE_BYTES: usize = 24;
export const TILE_ROWS: usize = 64;
const COLUMN_BYTES: usize = TILE_ROWS * 8;
const HALF_BYTES: usize = TILE_ROWS * 4;
/** Ids of up to 23 bytes each fill the rows before the texts. */
const TEXTS_BYTES: usize = TILE_ROWS * 24;
/** The longest id with its length byte, and what a copy by blocks may bring along. */
const TEXT_ROOM: u32 = 80;

// Columns of u64, in this order; values follow.
export const TILE_EVENT: u32 = 0;
export const TILE_RECEIVED: u32 = 1;
export const TILE_LOG_TIME: u32 = 2;
export const TILE_SEQUENCE: u32 = 3;
export const TILE_PRESENCE: u32 = 4;
/** The device's own time, where the event's may be a corrected one. */
export const TILE_DEVICE_TIME: u32 = 5;
export const TILE_VALUES: u32 = 6;
// Where they lie, as instructions take it: behind the place of the row (rowAt).
const EVENT_AT: usize = TILE_BYTES + <usize>TILE_EVENT * COLUMN_BYTES;
export const RECEIVED_AT: usize = TILE_BYTES + <usize>TILE_RECEIVED * COLUMN_BYTES;
const LOG_TIME_AT: usize = TILE_BYTES + <usize>TILE_LOG_TIME * COLUMN_BYTES;
const SEQUENCE_AT: usize = TILE_BYTES + <usize>TILE_SEQUENCE * COLUMN_BYTES;
export const PRESENCE_AT: usize = TILE_BYTES + <usize>TILE_PRESENCE * COLUMN_BYTES;
export const DEVICE_TIME_AT: usize = TILE_BYTES + <usize>TILE_DEVICE_TIME * COLUMN_BYTES;
// Columns of u32.
export const TILE_ORDINAL: u32 = 0;
export const TILE_FLAGS: u32 = 1;
export const TILE_EXPIRES: u32 = 2;
const HALVES: u32 = 3;

/** What a row takes as part of a block, beside values and texts: 6 × 8, 3 × 4, 2 + 4 + 1. */
const ROW_BYTES: u32 = 67;

/** A column of u64. */
@inline
export function wideColumn(tile: usize, column: u32): usize {
  return tile + TILE_BYTES + <usize>column * COLUMN_BYTES;
}
/** A column of u32; `metrics` of the table's channel. */
@inline
export function halfColumn(tile: usize, metrics: u32, column: u32): usize {
  return wideColumn(tile, TILE_VALUES + metrics) + <usize>column * HALF_BYTES;
}
/** Tenants, sites or devices: 0, 1, 2. */
@inline
export function textColumn(tile: usize, metrics: u32, column: u32): usize {
  return halfColumn(tile, metrics, HALVES) + <usize>column * TEXTS_BYTES;
}
@inline
export function textColumnBytes(tile: usize, column: u32): u32 {
  return load<u32>(tile + (<usize>column << 2), offsetof<Tile>('tenantBytes'));
}

/** Where a row is in a column of u64. */
@inline
export function wideAt(tile: usize, column: u32, row: u32): usize {
  return wideColumn(tile, column) + (<usize>row << 3);
}
/** What the offsets below count from. */
@inline
export function rowAt(tile: usize, row: u32): usize {
  return tile + (<usize>row << 3);
}
/** Of a value's column, `columns` further on. */
@inline
export function valueBehind(value: usize, columns: u32): usize {
  return value + <usize>columns * COLUMN_BYTES;
}

/** The tile that takes the channel's next sample. */
@inline
export function openTile(channel: usize): usize {
  const list = stageTable(channelTable(channel));
  return list.rows > 0 && hasRoom(changetype<Tile>(list.tail)) ? list.tail : addTile(list, channel);
}

@inline
function hasRoom(tile: Tile): bool {
  const texts = max(tile.tenantBytes, max(tile.siteBytes, tile.deviceBytes));
  return tile.rows < <u32>TILE_ROWS && texts <= <u32>TEXTS_BYTES - TEXT_ROOM;
}

function addTile(list: StageTable, channel: usize): usize {
  const tile = stageRoom(textColumn(0, channelMetricCount(channel), 3));
  memory.fill(tile, 0, TILE_BYTES);
  if (list.rows == 0) beginTable(list, channelTable(channel), tile);
  else changetype<Tile>(list.tail).next = tile;
  list.tail = tile;
  return tile;
}

/** Adds a row to an open tile and gives its number; the caller fills in what is not known here. */
@inline
export function addSample(
  tile: usize, device: Device, channel: usize, event: i64, flags: u32,
): u32 {
  const metrics = channelMetricCount(channel);
  const turn = turnOf();
  const row = changetype<Tile>(tile).rows++;
  stageTable(channelTable(channel)).rows++;
  turn.sealBytes += ROW_BYTES + (metrics << 3) + device.identityBytes;
  const place = rowAt(tile, row);
  store<i64>(place, event, EVENT_AT);
  store<i64>(place, durable().logClock, LOG_TIME_AT);
  store<u64>(place, turn.sequence, SEQUENCE_AT);
  const halves = halfColumn(tile, metrics, 0) + (<usize>row << 2);
  const expires = expiresAt(event, channelRetentionMs(channel));
  store<u32>(halves, turn.sampleOrdinal, <usize>TILE_ORDINAL * HALF_BYTES);
  store<u32>(halves, flags, <usize>TILE_FLAGS * HALF_BYTES);
  store<u32>(halves, expires, <usize>TILE_EXPIRES * HALF_BYTES);
  addTexts(changetype<Tile>(tile), textColumn(tile, metrics, 0), identityOf(device));
  return row;
}

/** The three ids of an identity, each to its column. */
@inline
function addTexts(tile: Tile, texts: usize, id: usize): void {
  let bytes = <u32>load<u8>(id) + 1;
  copyBlocks(texts + tile.tenantBytes, id, bytes);
  tile.tenantBytes += bytes;
  id += bytes;
  bytes = <u32>load<u8>(id) + 1;
  copyBlocks(texts + TEXTS_BYTES + tile.siteBytes, id, bytes);
  tile.siteBytes += bytes;
  id += bytes;
  bytes = <u32>load<u8>(id) + 1;
  copyBlocks(texts + 2 * TEXTS_BYTES + tile.deviceBytes, id, bytes);
  tile.deviceBytes += bytes;
}

/** Zeros for the metrics that a row has no value of; `values` is the place of the first one's. */
@inline
export function zeroAbsent(values: usize, channel: usize, presence: u64): void {
  const all = u64.MAX_VALUE >> (64 - channelMetricCount(channel));
  if ((all & ~presence) == 0) return;
  for (let absent = all & ~presence; absent != 0; absent &= absent - 1) {
    store<u64>(valueBehind(values, <u32>ctz(absent)), 0);
  }
}
