/**
 * Bytes compared and hashed. All loads stay inside [at, at + bytes). `nameHash` has its twin in
 * src/kernel/name-hash.ts: the host fills the hash tables of a plan image with it.
 */
export const FNV_OFFSET: u64 = 0xcbf29ce484222325;
const FNV_PRIME: u64 = 0x100000001b3;
const MIX: u64 = 0x9e3779b97f4a7c15;

@inline
function mix(hash: u64, word: u64): u64 {
  const product = (hash ^ word) * MIX;
  return product ^ (product >> 32);
}

/** 32 bits over every byte of a name; words of 8, the last one overlapping. */
export function nameHash(at: usize, bytes: u32): u32 {
  let hash: u64 = bytes;
  if (bytes >= 8) {
    const last = at + bytes - 8;
    while (at < last) {
      hash = mix(hash, load<u64>(at));
      at += 8;
    }
    hash = mix(hash, load<u64>(last));
  } else if (bytes >= 4) {
    hash = mix(hash, (<u64>load<u32>(at)) | ((<u64>load<u32>(at + bytes - 4)) << 32));
  } else if (bytes > 0) {
    const middle = <u64>load<u8>(at + (bytes >> 1));
    hash = mix(hash, <u64>load<u8>(at) | (middle << 8) | ((<u64>load<u8>(at + bytes - 1)) << 16));
  }
  return <u32>hash;
}

/** Sixteen bytes of zeros. */
@inline
export function zeroBlock(at: usize): void {
  if (ASC_FEATURE_SIMD) v128.store(at, i64x2.splat(0));
  else {
    store<u64>(at, 0);
    store<u64>(at, 0, 8);
  }
}

/** Copies words of 8 bytes, as many as hold `bytes`: up to 7 behind them are overwritten too. */
@inline
export function copyWords(to: usize, from: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 8) store<u64>(to + i, load<u64>(from + i));
}

/** The same by blocks of 16 bytes, where there are such: up to 15 behind them are overwritten. */
@inline
export function copyBlocks(to: usize, from: usize, bytes: usize): void {
  if (ASC_FEATURE_SIMD) {
    v128.store(to, v128.load(from));
    if (bytes <= 16) return;
    for (let i: usize = 16; i < bytes; i += 16) v128.store(to + i, v128.load(from + i));
  } else copyWords(to, from, bytes);
}

/** Of texts that are padded with zeros to words of 8 bytes. */
@inline
export function equalWords(left: usize, right: usize, bytes: u32): bool {
  let at: usize = 0;
  if (ASC_FEATURE_SIMD) {
    for (; at + 8 < bytes; at += 16) {
      const unlike = v128.xor(v128.load(left + at), v128.load(right + at));
      if (v128.any_true(unlike)) return false;
    }
    return at >= bytes || load<u64>(left + at) == load<u64>(right + at);
  }
  for (; at < bytes; at += 8) if (load<u64>(left + at) != load<u64>(right + at)) return false;
  return true;
}

/**
 * Of texts behind whose beginning there are at least 16 bytes of memory, whatever they hold: a name
 * in the plan and one in a chunk.
 */
@inline
export function equalNames(left: usize, right: usize, bytes: u32): bool {
  if (ASC_FEATURE_SIMD) {
    if (bytes <= 16) {
      const same = <u32>i8x16.bitmask(i8x16.eq(v128.load(left), v128.load(right)));
      return (same | <u32>(<u64>0xffffffff << bytes)) == 0xffffffff;
    }
  }
  return equalBytes(left, right, bytes);
}

export function equalBytes(left: usize, right: usize, bytes: u32): bool {
  if (bytes >= 8) {
    const last = bytes - 8;
    for (let i: u32 = 0; i < last; i += 8) {
      if (load<u64>(left + i) != load<u64>(right + i)) return false;
    }
    return load<u64>(left + last) == load<u64>(right + last);
  }
  if (bytes >= 4) {
    const last = bytes - 4;
    return (
      load<u32>(left) == load<u32>(right) && load<u32>(left + last) == load<u32>(right + last)
    );
  }
  for (let i: u32 = 0; i < bytes; i++) {
    if (load<u8>(left + i) != load<u8>(right + i)) return false;
  }
  return true;
}

/** FNV-1a, 64 bit, continued from `hash` (begin with FNV_OFFSET). */
export function fnv1a64(hash: u64, at: usize, bytes: u32): u64 {
  const end = at + bytes;
  while (at < end) {
    hash = (hash ^ <u64>load<u8>(at)) * FNV_PRIME;
    at++;
  }
  return hash;
}

@inline
export function fnv1a64Byte(hash: u64, byte: u32): u64 {
  return (hash ^ <u64>byte) * FNV_PRIME;
}
