/**
 * Columns of a ClickHouse Native block, gathered from staged rows (a linked list, `head` first).
 *
 *   block  ┌ columns varint ┬ rows varint ┬ per column: name, type (plan image) ┬ values ┐
 *   Array  ┌ end of each row's elements u64 × rows ┬ all elements ┐     String ┌ varint ┬ bytes ┐
 *
 * Every function writes at `out` and gives where it ended.
 */
import { ROW_NEXT_AT } from './shared/control';
import { planTableColumn, planTableColumnBytes } from './plan';
import { control, durable } from './memory';
import { copyWords } from './text';

@inline export function nextRow(row: usize): usize { return load<u32>(row, ROW_NEXT_AT); }

export function putVarint(out: usize, value: u32): usize {
  while (value >= 128) {
    store<u8>(out++, <u8>(value | 128));
    value >>= 7;
  }
  store<u8>(out++, <u8>value);
  return out;
}

/** Name and type in front of a column's values. */
export function putHead(out: usize, table: u32, column: u32): usize {
  const plan = control().plan;
  const bytes = planTableColumnBytes(plan, table, column);
  memory.copy(out, planTableColumn(plan, table, column), bytes);
  return out + bytes;
}

export function put8(out: usize, head: usize, field: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    store<u64>(out, load<u64>(row + field));
    out += 8;
  }
  return out;
}

export function put4(out: usize, head: usize, field: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    store<u32>(out, load<u32>(row + field));
    out += 4;
  }
  return out;
}

export function put1(out: usize, head: usize, field: usize): usize {
  for (let row = head; row != 0; row = nextRow(row)) store<u8>(out++, load<u8>(row + field));
  return out;
}

export function fill4(out: usize, rows: u32, value: u32): usize {
  for (let i: u32 = 0; i < rows; i++) store<u32>(out + (<usize>i << 2), value);
  return out + (<usize>rows << 2);
}

export function fill2(out: usize, rows: u32, value: u32): usize {
  for (let i: u32 = 0; i < rows; i++) store<u16>(out + (<usize>i << 1), <u16>value);
  return out + (<usize>rows << 1);
}

export function fill1(out: usize, rows: u32, value: u32): usize {
  memory.fill(out, <u8>value, rows);
  return out + rows;
}

/** UInt128: generation(32) · sequence(64) · ordinal(32), the lowest bits first. */
export function putVersion(
  out: usize, head: usize, sequenceAt: usize, ordinalAt: usize,
): usize {
  const generation = durable().generation;
  for (let row = head; row != 0; row = nextRow(row)) {
    const sequence = load<u64>(row + sequenceAt);
    store<u64>(out, (sequence << 32) | <u64>load<u32>(row + ordinalAt));
    store<u64>(out, (generation << 32) | (sequence >> 32), 8);
    out += 16;
  }
  return out;
}

/** The `index`-th of the strings (length byte in front) that begin at the row's `textsAt`. */
@inline
function textOf(texts: usize, index: u32): usize {
  for (let i: u32 = 0; i < index; i++) texts += 1 + <usize>load<u8>(texts);
  return texts;
}

@inline
function putText(out: usize, text: usize): usize {
  const bytes: usize = 1 + <usize>load<u8>(text);
  // What is overwritten behind it is written next, or lies behind the block.
  copyWords(out, text, bytes);
  return out + bytes;
}

/** A string of a row whose texts begin at a fixed place of the row. */
export function putTexts(out: usize, head: usize, textsAt: usize, index: u32): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    out = putText(out, textOf(row + textsAt, index));
  }
  return out;
}

/** The same where the row's field at `offsetAt` says where its texts begin. */
export function putFarTexts(out: usize, head: usize, offsetAt: usize, index: u32): usize {
  for (let row = head; row != 0; row = nextRow(row)) {
    out = putText(out, textOf(row + load<u32>(row + offsetAt), index));
  }
  return out;
}

/** One string in every row; `bytes` below 128. */
export function fillText(out: usize, rows: u32, text: usize, bytes: u32): usize {
  for (let i: u32 = 0; i < rows; i++) {
    store<u8>(out, <u8>bytes);
    memory.copy(out + 1, text, bytes);
    out += 1 + bytes;
  }
  return out;
}
