/**
 * Hashes that host and kernel must agree on: the twin of assembly/text.ts. Used only when a plan is
 * compiled, so clarity goes before speed.
 */
const MIX = 0x9e3779b97f4a7c15n;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

function mix(hash: bigint, word: bigint): bigint {
  const product = BigInt.asUintN(64, (hash ^ word) * MIX);
  return product ^ (product >> 32n);
}

/** 32 bits over every byte of a name; words of 8, the last one overlapping. */
export function nameHash(name: Uint8Array): number {
  const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
  const bytes = name.byteLength;
  let hash = BigInt(bytes);
  if (bytes >= 8) {
    for (let at = 0; at < bytes - 8; at += 8) hash = mix(hash, view.getBigUint64(at, true));
    hash = mix(hash, view.getBigUint64(bytes - 8, true));
  } else if (bytes >= 4) {
    const first = BigInt(view.getUint32(0, true));
    hash = mix(hash, first | (BigInt(view.getUint32(bytes - 4, true)) << 32n));
  } else if (bytes > 0) {
    const word = name[0]! | (name[bytes >> 1]! << 8) | (name[bytes - 1]! << 16);
    hash = mix(hash, BigInt(word));
  }
  return Number(hash & 0xffffffffn);
}

export function fnv1a64(bytes: Uint8Array, hash = FNV_OFFSET): bigint {
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}
