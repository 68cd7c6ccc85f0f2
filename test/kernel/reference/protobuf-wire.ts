/**
 * The wire of Protobuf with groups, for formats that pass over the unknown. In: bytes. Out: the
 * fields of one message, in order, or Malformed at the tag of the innermost field that cannot be
 * read. Nothing is looked into but groups.
 */
import { GROUPS_MAX } from '../../../assembly/shared/protobuf-program.ts';
import { Malformed } from './protobuf.ts';

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const GROUP = 3;
const GROUP_END = 4;
export const FIXED32 = 5;

export interface WireField {
  readonly number: number;
  readonly wire: number;
  readonly tagAt: number;
  /** Of the value, for BYTES of the content. */
  readonly start: number;
  readonly end: number;
  /** VARINT: the value. */
  readonly varint: bigint;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

interface Open {
  readonly number: number;
  readonly tagAt: number;
}

/** Lazily, so that a caller meets trouble in the order of the bytes. */
export function* fieldsOf(bytes: Uint8Array, { start, end }: Range): Generator<WireField> {
  const open: Open[] = [];
  for (let at = start; at < end; ) {
    const field = readField(bytes, at, end);
    const { number, wire, tagAt } = field;
    if (wire === GROUP) {
      if (open.length === GROUPS_MAX) throw new Malformed(tagAt);
      if (open.length === 0) yield field;
      open.push({ number, tagAt });
    } else if (wire === GROUP_END) {
      if (open.pop()?.number !== number) throw new Malformed(tagAt);
    } else if (open.length === 0) {
      yield field;
    }
    at = field.end;
  }
  const unended = open.at(-1);
  if (unended !== undefined) throw new Malformed(unended.tagAt);
}

function readField(bytes: Uint8Array, tagAt: number, end: number): WireField {
  const tag = readVarint(bytes, { start: tagAt, end }, tagAt);
  const number = Number(tag.value >> 3n);
  const wire = Number(tag.value & 7n);
  if (number === 0 || number >= 2 ** 29 || tag.end - tagAt > 5) throw new Malformed(tagAt);
  const field = { number, wire, tagAt, start: tag.end, varint: 0n };
  switch (wire) {
    case VARINT: {
      const { value, end: next } = readVarint(bytes, { start: tag.end, end }, tagAt);
      return { ...field, end: next, varint: value };
    }
    case FIXED64:
    case FIXED32: {
      const next = tag.end + (wire === FIXED64 ? 8 : 4);
      if (next > end) throw new Malformed(tagAt);
      return { ...field, end: next };
    }
    case BYTES: {
      const length = readVarint(bytes, { start: tag.end, end }, tagAt);
      if (length.value > BigInt(end - length.end)) throw new Malformed(tagAt);
      return { ...field, start: length.end, end: length.end + Number(length.value) };
    }
    case GROUP:
    case GROUP_END:
      return { ...field, end: tag.end };
    default:
      throw new Malformed(tagAt);
  }
}

export function readVarint(
  bytes: Uint8Array,
  { start, end }: Range,
  tagAt: number,
): { value: bigint; end: number } {
  let value = 0n;
  for (let at = start; at < end && at < start + 10; at += 1) {
    value |= BigInt(bytes[at]! & 127) << BigInt(7 * (at - start));
    if (bytes[at]! < 128) {
      if (value >= 1n << 64n) break;
      return { value, end: at + 1 };
    }
  }
  throw new Malformed(tagAt);
}
