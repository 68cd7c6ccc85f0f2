/**
 * CityHash128 of version 1.0.2, the checksum of ClickHouse's compressed blocks (later versions of
 * CityHash give other values). In: bytes. Out: 16 bytes, low half first, little endian.
 *
 * JavaScript has no fast 64-bit integers, so the 64-bit values live as pairs of 32-bit words in one
 * `Int32Array`, the registers; a register is named by the index of its low word. One register file
 * serves all calls: nothing here is asynchronous.
 *
 * Invariant: `hash` equals the checksum that ClickHouse writes (test/unit/engine-clickhouse reads
 * blocks written by the engine itself).
 */
const K0 = [0x97cb3127 | 0, 0xc3a5c85c | 0] as const;
const K1 = [0xbe98f273 | 0, 0xb492b66f | 0] as const;
const K2 = [0x2f90404f | 0, 0x9ae16a3b | 0] as const;
const K3 = [0x509e6557 | 0, 0xc949d7c7 | 0] as const;
const K_MUL = [0xeb382d69 | 0, 0x9ddfea08 | 0] as const;

type Constant = readonly [number, number];

const X = 0;
const Y = 2;
const Z = 4;
const V0 = 6;
const V1 = 8;
const W0 = 10;
const W1 = 12;
const T = 14;
const U = 16;
const P = 18;
const Q = 20;
const S = 22;
const REGISTER_WORDS = 24;

/** 64-bit arithmetic modulo 2^64 on a register file. */
class Registers {
  readonly word = new Int32Array(REGISTER_WORDS);

  set(d: number, low: number, high: number): void {
    this.word[d] = low;
    this.word[d + 1] = high;
  }

  copy(d: number, a: number): void {
    this.set(d, this.word[a]!, this.word[a + 1]!);
  }

  load(d: number, bytes: Buffer, at: number): void {
    this.set(d, bytes.readInt32LE(at), bytes.readInt32LE(at + 4));
  }

  add(d: number, a: number, b: number): void {
    const low = (this.word[a]! >>> 0) + (this.word[b]! >>> 0);
    const carry = low > 0xffffffff ? 1 : 0;
    this.set(d, low | 0, (this.word[a + 1]! + this.word[b + 1]! + carry) | 0);
  }

  subtract(d: number, a: number, b: number): void {
    const borrow = this.word[a]! >>> 0 < this.word[b]! >>> 0 ? 1 : 0;
    this.set(
      d,
      (this.word[a]! - this.word[b]!) | 0,
      (this.word[a + 1]! - this.word[b + 1]! - borrow) | 0,
    );
  }

  xor(d: number, a: number, b: number): void {
    this.set(d, this.word[a]! ^ this.word[b]!, this.word[a + 1]! ^ this.word[b + 1]!);
  }

  multiply(d: number, a: number, k: Constant): void {
    const al = this.word[a]!;
    const a0 = al & 0xffff;
    const a1 = al >>> 16;
    const b0 = k[0] & 0xffff;
    const b1 = k[0] >>> 16;
    const p00 = a0 * b0;
    const mid = a0 * b1 + a1 * b0 + Math.floor(p00 / 65536);
    const cross = Math.imul(this.word[a + 1]!, k[0]) + Math.imul(al, k[1]);
    this.set(d, (mid << 16) | (p00 & 0xffff), (a1 * b1 + Math.floor(mid / 65536) + cross) | 0);
  }

  /** Rotates right by 1 to 63 bits. */
  rotate(d: number, a: number, bits: number): void {
    const swap = bits >= 32;
    const low = swap ? this.word[a + 1]! : this.word[a]!;
    const high = swap ? this.word[a]! : this.word[a + 1]!;
    const n = bits & 31;
    if (n === 0) this.set(d, low, high);
    else this.set(d, (low >>> n) | (high << (32 - n)), (high >>> n) | (low << (32 - n)));
  }

  /** d = a ^ (a >>> 47). */
  shiftMix(d: number, a: number): void {
    this.set(d, this.word[a]! ^ (this.word[a + 1]! >>> 15), this.word[a + 1]!);
  }

  addConstant(d: number, a: number, k: Constant): void {
    this.set(P, k[0], k[1]);
    this.add(d, a, P);
  }

  /** d = the hash of the 128 bits (a, b). Uses P and Q. */
  hash16(d: number, a: number, b: number): void {
    this.copy(Q, b);
    this.xor(P, a, b);
    this.multiply(P, P, K_MUL);
    this.shiftMix(P, P);
    this.xor(P, Q, P);
    this.multiply(P, P, K_MUL);
    this.shiftMix(P, P);
    this.multiply(d, P, K_MUL);
  }

  /** (v, v + 2) = the weak hash of 32 bytes with the seeds S and T. Uses P, Q, S, T. */
  weakHash32(v: number, bytes: Buffer, at: number): void {
    this.load(P, bytes, at);
    this.add(S, S, P); // a += w
    this.load(Q, bytes, at + 24);
    this.add(T, T, S);
    this.add(T, T, Q);
    this.rotate(T, T, 21); // b = rotate(b + a + z, 21)
    this.copy(v + 2, S); // c = a
    this.load(P, bytes, at + 8);
    this.add(S, S, P);
    this.load(P, bytes, at + 16);
    this.add(S, S, P); // a += x + y
    this.rotate(P, S, 44);
    this.add(T, T, P); // b += rotate(a, 44)
    this.add(v, S, Q); // first = a + z
    this.add(v + 2, v + 2, T); // second = b + c
  }
}

export interface CityHash {
  /** Writes the 16-byte checksum of `bytes` to `out` at `at`. */
  hash(bytes: Buffer, out: Buffer, at: number): void;
}

export function createCityHash(): CityHash {
  const r = new Registers();
  return {
    hash(bytes, out, at) {
      const length = bytes.length;
      if (length >= 16) {
        r.load(X, bytes, 0);
        r.set(P, K3[0], K3[1]);
        r.xor(X, X, P);
        r.load(Y, bytes, 8);
        seeded(r, bytes.subarray(16));
      } else if (length >= 8) {
        r.set(T, length, 0);
        r.multiply(T, T, K0);
        r.load(X, bytes, 0);
        r.xor(X, X, T);
        r.load(Y, bytes, length - 8);
        r.set(P, K1[0], K1[1]);
        r.xor(Y, Y, P);
        seeded(r, bytes.subarray(0, 0));
      } else {
        r.set(X, K0[0], K0[1]);
        r.set(Y, K1[0], K1[1]);
        seeded(r, bytes);
      }
      for (let i = 0; i < 4; i++) out.writeInt32LE(r.word[i]!, at + 4 * i);
    },
  };
}

/** In: seed in (X, Y). Out: hash in (X, Y). */
function seeded(r: Registers, bytes: Buffer): void {
  if (bytes.length < 128) murmur(r, bytes);
  else city(r, bytes);
}

function murmur(r: Registers, bytes: Buffer): void {
  const length = bytes.length; // a = X, b = Y, c = V0, d = V1
  if (length <= 16) {
    r.multiply(X, X, K1);
    r.shiftMix(X, X);
    r.multiply(X, X, K1);
    hashUpTo16(r, bytes);
    r.multiply(T, Y, K1);
    r.add(V0, T, U);
    if (length >= 8) r.load(T, bytes, 0);
    else r.copy(T, V0);
    r.add(T, X, T);
    r.shiftMix(V1, T);
  } else {
    r.load(T, bytes, length - 8);
    r.addConstant(T, T, K1);
    r.hash16(V0, T, X);
    r.load(T, bytes, length - 16);
    r.add(T, V0, T);
    r.set(U, length, 0);
    r.add(U, Y, U);
    r.hash16(V1, U, T);
    r.add(X, X, V1);
    let at = 0;
    for (let left = length - 16; left > 0; left -= 16) {
      mixInto(r, X, bytes, at);
      r.xor(Y, Y, X);
      mixInto(r, V0, bytes, at + 8);
      r.xor(V1, V1, V0);
      at += 16;
    }
  }
  r.hash16(T, X, V0);
  r.hash16(U, V1, Y);
  r.xor(X, T, U);
  r.hash16(Y, U, T);
}

function mixInto(r: Registers, register: number, bytes: Buffer, at: number): void {
  r.load(T, bytes, at);
  r.multiply(T, T, K1);
  r.shiftMix(T, T);
  r.multiply(T, T, K1);
  r.xor(register, register, T);
  r.multiply(register, register, K1);
}

/** U = the hash of 0 to 16 bytes. */
function hashUpTo16(r: Registers, bytes: Buffer): void {
  const length = bytes.length;
  if (length > 8) {
    r.load(S, bytes, 0);
    r.load(T, bytes, length - 8);
    r.set(P, length, 0);
    r.add(U, T, P);
    r.rotate(U, U, length);
    r.hash16(U, S, U);
    r.xor(U, U, T);
  } else if (length >= 4) {
    const low = bytes.readUInt32LE(0);
    r.set(S, (low << 3) + length, low >>> 29);
    r.set(T, bytes.readInt32LE(length - 4), 0);
    r.hash16(U, S, T);
  } else if (length > 0) {
    const first = bytes[0]! + (bytes[length >> 1]! << 8);
    r.set(S, first, 0);
    r.multiply(S, S, K2);
    r.set(T, length + (bytes[length - 1]! << 2), 0);
    r.multiply(T, T, K3);
    r.xor(S, S, T);
    r.shiftMix(S, S);
    r.multiply(U, S, K2);
  } else {
    r.set(U, K2[0], K2[1]);
  }
}

function city(r: Registers, bytes: Buffer): void {
  const length = bytes.length;
  r.set(Z, length, 0);
  r.multiply(Z, Z, K1);
  r.set(P, K1[0], K1[1]);
  r.xor(V0, Y, P);
  r.rotate(V0, V0, 49);
  r.multiply(V0, V0, K1);
  r.load(T, bytes, 0);
  r.add(V0, V0, T);
  r.rotate(V1, V0, 42);
  r.multiply(V1, V1, K1);
  r.load(T, bytes, 8);
  r.add(V1, V1, T);
  r.add(W0, Y, Z);
  r.rotate(W0, W0, 35);
  r.multiply(W0, W0, K1);
  r.add(W0, W0, X);
  r.load(T, bytes, 88);
  r.add(W1, X, T);
  r.rotate(W1, W1, 53);
  r.multiply(W1, W1, K1);
  let at = 0;
  for (; length - at >= 128; at += 128) {
    roll(r, bytes, at);
    roll(r, bytes, at + 64);
  }
  tail(r, bytes, length - at);
}

function roll(r: Registers, bytes: Buffer, at: number): void {
  r.add(X, X, Y);
  r.add(X, X, V0);
  r.load(T, bytes, at + 16);
  r.add(X, X, T);
  r.rotate(X, X, 37);
  r.multiply(X, X, K1);
  r.add(Y, Y, V1);
  r.load(T, bytes, at + 48);
  r.add(Y, Y, T);
  r.rotate(Y, Y, 42);
  r.multiply(Y, Y, K1);
  r.xor(X, X, W1);
  r.xor(Y, Y, V0);
  r.xor(Z, Z, W0);
  r.rotate(Z, Z, 33);
  r.multiply(S, V1, K1);
  r.add(T, X, W0);
  r.weakHash32(V0, bytes, at);
  r.add(S, Z, W1);
  r.copy(T, Y);
  r.weakHash32(W0, bytes, at + 32);
  r.copy(T, Z);
  r.copy(Z, X);
  r.copy(X, T);
}

function tail(r: Registers, bytes: Buffer, left: number): void {
  const length = bytes.length;
  r.rotate(T, W0, 37);
  r.multiply(T, T, K0);
  r.add(Y, Y, T);
  r.add(Y, Y, Z);
  r.add(T, V0, Z);
  r.rotate(T, T, 49);
  r.multiply(T, T, K0);
  r.add(X, X, T);
  for (let done = 32; done - 32 < left; done += 32) {
    r.subtract(Y, Y, X);
    r.rotate(Y, Y, 42);
    r.multiply(Y, Y, K0);
    r.add(Y, Y, V1);
    r.load(T, bytes, length - done + 16);
    r.add(W0, W0, T);
    r.rotate(X, X, 49);
    r.multiply(X, X, K0);
    r.add(X, X, W0);
    r.add(W0, W0, V0);
    r.copy(S, V0);
    r.copy(T, V1);
    r.weakHash32(V0, bytes, length - done);
  }
  r.hash16(X, X, V0);
  r.hash16(Y, Y, W0);
  r.add(T, X, V1);
  r.hash16(U, T, W1);
  r.add(U, U, Y);
  r.add(S, X, W1);
  r.add(T, Y, V1);
  r.hash16(Y, S, T);
  r.copy(X, U);
}
