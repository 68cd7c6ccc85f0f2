/**
 * Who a record is from: its ids checked, copied behind length bytes into the record (as a device
 * block and a Native column have them), and hashed for the index.
 *
 * The hash is NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, 1999) over words of 64 bits,
 * closed by a multiplication: universal, so that whoever does not know the key cannot choose ids
 * that meet. The key is the host's, new for every memory; it decides only where an index entry
 * lies, never anything that comes out or is saved.
 */
import { INDEX_KEY_AT } from './memory';
import { ID_BYTES_MAX } from './shared/abi';
import { INDEX_KEY_BYTES } from './shared/control';
import { Record, identityScratch } from './work';

/** Key words behind those of NH: for the length, and to close with. */
const KEY_LENGTH_AT: usize = INDEX_KEY_AT + INDEX_KEY_BYTES - 16;
const KEY_CLOSE_AT: usize = INDEX_KEY_AT + INDEX_KEY_BYTES - 8;
const STEP: u64 = 0x9e3779b97f4a7c15;

/** A key for those who give none: the same in every memory. */
export function defaultKey(): void {
  let seed = STEP;
  for (let i: usize = 0; i < <usize>INDEX_KEY_BYTES; i += 8) {
    seed += STEP;
    let word = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
    word = (word ^ (word >> 27)) * 0x94d049bb133111eb;
    store<u64>(INDEX_KEY_AT + i, word ^ (word >> 31));
  }
}

@inline
function wordHash(wordAt: usize, keyAt: usize): u64 {
  const word = load<u64>(wordAt);
  const key = load<u64>(keyAt);
  return <u64>(<u32>word + <u32>key) * <u64>(<u32>(word >> 32) + <u32>(key >> 32));
}

/** Of an identity that is padded with zeros to words of 8 bytes. */
@inline
export function identityHash(identity: usize, bytes: u32): u32 {
  let sum = load<u64>(KEY_LENGTH_AT) * bytes;
  let at: usize = 0;
  if (ASC_FEATURE_SIMD) {
    let sums = i64x2.splat(0);
    for (; at + 8 < bytes; at += 16) {
      const words = i32x4.add(v128.load(identity + at), v128.load(INDEX_KEY_AT + at));
      const low = v128.shuffle<u32>(words, words, 0, 2, 0, 2);
      const high = v128.shuffle<u32>(words, words, 1, 3, 1, 3);
      sums = i64x2.add(sums, i64x2.extmul_low_i32x4_u(low, high));
    }
    sum += i64x2.extract_lane(sums, 0) + i64x2.extract_lane(sums, 1);
    if (at < bytes) sum += wordHash(identity + at, INDEX_KEY_AT + at);
  } else {
    for (; at < bytes; at += 8) sum += wordHash(identity + at, INDEX_KEY_AT + at);
  }
  // A multiplication alone would keep the pattern of ids that count: NH is linear in either half.
  sum ^= sum >> 32;
  return <u32>((sum * (load<u64>(KEY_CLOSE_AT) | 1)) >> 32);
}

/**
 * Fills the record's identity; false when an id is empty or too long. That they hold nothing
 * strange is `isNamed`'s to find: an identity that a device of the index has is well formed.
 */
@inline
export function nameRecord(
  record: Record,
  tenantAt: usize, tenantBytes: u32, siteAt: usize, siteBytes: u32,
  deviceAt: usize, deviceBytes: u32,
): bool {
  // ID_BYTES_MAX is a power of two: a bit from it on tells of an id that is empty or too long.
  const sizes = (tenantBytes - 1) | (siteBytes - 1) | (deviceBytes - 1);
  if (sizes >= <u32>ID_BYTES_MAX) return false;
  const identity = identityScratch(record);
  const site = putId(identity, tenantAt, tenantBytes);
  const device = putId(site, siteAt, siteBytes);
  const end = putId(device, deviceAt, deviceBytes);
  // The last copy may have brought more than the id.
  store<u64>(end, 0);
  record.identityBytes = <u32>(end - identity);
  record.named = 1;
  return true;
}

/** True when all four ids of a named record are well formed. */
export function isNamed(record: Record): bool {
  let at = identityScratch(record);
  for (let i = 0; i < 3; i++) {
    const bytes = <u32>load<u8>(at);
    if (!isId(at + 1, bytes)) return false;
    at += 1 + bytes;
  }
  return isId(record.channelAt, record.channelBytes);
}

/**
 * Of a named record. Not at once: words that were just written byte by byte cannot be read before
 * they have reached the cache.
 */
@inline
export function hashRecord(record: Record): void {
  record.identityHash = identityHash(identityScratch(record), record.identityBytes);
}

/** A bit per byte that no id may have. Reads 16 bytes: records lie in the midst of the memory. */
@inline
function strangers(text: v128): u32 {
  const letters = i8x16.sub(v128.or(text, i8x16.splat(0x20)), i8x16.splat(0x61));
  const digits = i8x16.sub(text, i8x16.splat(0x30));
  const words = v128.or(
    i8x16.lt_u(letters, i8x16.splat(26)), i8x16.lt_u(digits, i8x16.splat(10)),
  );
  const signs = v128.or(
    i8x16.eq(text, i8x16.splat(0x5f)), i8x16.eq(text, i8x16.splat(0x2d)),
  );
  return <u32>i8x16.bitmask(v128.or(words, signs)) ^ 0xffff;
}

@inline
function isStranger(byte: u32): bool {
  const letter = (byte | 0x20) - 0x61 < 26;
  return !letter && !(byte - 0x30 < 10) && byte != 0x5f && byte != 0x2d;
}

/** Bits of the first `left` of 16 bytes. */
@inline
function firstBits(left: u32): u32 {
  return left >= 16 ? 0xffff : (<u32>1 << left) - 1;
}

function isId(at: usize, bytes: u32): bool {
  if (bytes - 1 >= <u32>ID_BYTES_MAX) return false;
  if (ASC_FEATURE_SIMD) {
    for (let i: u32 = 0; i < bytes; i += 16) {
      if ((strangers(v128.load(at + i)) & firstBits(bytes - i)) != 0) return false;
    }
    return true;
  }
  for (let i: u32 = 0; i < bytes; i++) if (isStranger(load<u8>(at + i))) return false;
  return true;
}

/** Copies an id, which is not empty, behind its length; gives where it ends. */
@inline
function putId(out: usize, at: usize, bytes: u32): usize {
  store<u8>(out++, <u8>bytes);
  if (ASC_FEATURE_SIMD) {
    v128.store(out, v128.load(at));
    if (bytes > 16) {
      for (let i: u32 = 16; i < bytes; i += 16) v128.store(out + i, v128.load(at + i));
    }
  } else memory.copy(out, at, bytes);
  return out + bytes;
}
