/**
 * The index of devices under ids that were chosen to meet: by the hash that names in a plan use,
 * which is public, and by what the index's own is made of: words of eight bytes, whose halves are
 * multiplied and the products summed. Places that look-ups walk over are counted, not time.
 */
import { assert } from 'chai';
import * as C from '../../assembly/shared/control.ts';
import { STATE_BASE } from '../../assembly/shared/control.ts';
import {
  createMemory,
  instantiate,
  type KernelExports,
  type KernelMemory,
  loadKernel,
} from '../../src/kernel/binary.ts';
import { planImage } from '../../src/kernel/image/plan-image.ts';
import { nameHash } from '../../src/kernel/name-hash.ts';
import { cut, LogWriter, recordOf } from './log-writer.ts';
import { channelOf, planOf } from './plan-sample.ts';
import { Random } from './random.ts';

const MEMORY_PAGES = 2800;
const DEVICES = 20_000;
/** Nearly all that the memory has slots for: the index is more than half full. */
const DEVICES_MANY = 150_000;
const BATCH = 400;

/**
 * Ids of 16 letters in one bucket: a walk through 2^32 hashes would be long, so ids that share the
 * low 11 bits stand for them; all places of a smaller index would be one.
 */
function chosenIds(count: number): string[] {
  const ids: string[] = [];
  const head = Buffer.from('\x02t1\x02s1\x0a');
  for (let i = 0; ids.length < count; i++) {
    const id = `d${i.toString(36).padStart(9, '0')}`;
    if ((nameHash(Buffer.concat([head, Buffer.from(id)])) & 0x7f) === 0) ids.push(id);
  }
  return ids;
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

/** `index` in the digits of an alphabet, the last one first. */
function digits(index: number, alphabet: string, length: number): string {
  let text = '';
  for (let rest = index; text.length < length; rest = Math.floor(rest / alphabet.length)) {
    text += alphabet[rest % alphabet.length];
  }
  return text;
}

/** The permutation of some halves of words with this number. */
function permuted(index: number, parts: readonly string[]): string {
  const left = [...parts];
  let rest = index;
  let text = '';
  for (let size = left.length; size > 0; size -= 1) {
    text += left.splice(rest % size, 1)[0]!;
    rest = Math.floor(rest / size);
  }
  return text;
}

const HALVES = Array.from({ length: 10 }, (_, i) => LETTERS.slice(i * 2, i * 2 + 4));

/** In front of the id lie 7 bytes of the identity: its first byte ends a word. */
const FAMILIES: Readonly<Record<string, (index: number) => string>> = {
  'that have equal low bits in every byte': (index) => `p${digits(index, '1AQaq', 8)}`,
  'that have equal high bits in every byte': (index) => `p${digits(index, 'abcdefgh', 8)}`,
  'whose words have equal lower halves': (index) => `paaaa${digits(index, LETTERS, 4)}`,
  'whose words have equal upper halves': (index) => `p${digits(index, LETTERS, 4)}aaaa`,
  'that differ in one word of seven, each time another': (index) => {
    const words = Array<string>(7).fill('aaaaaaaa');
    words[index % 7] = digits(index, LETTERS, 8);
    return `p${words.join('')}`;
  },
  'of the same words in another order': (index) => `paaaaaaaa${permuted(index, HALVES)}`,
  'whose halves have equal sums': (index) => {
    const up = digits(index, LETTERS, 4);
    const down = [...up].map((letter) => LETTERS[25 - LETTERS.indexOf(letter)]).join('');
    return `p${up}${down}`;
  },
  'whose words have equal sums': (index) => {
    const up = digits(index, LETTERS, 4);
    const down = [...up].map((letter) => LETTERS[25 - LETTERS.indexOf(letter)]).join('');
    return `p${up}aaaa${down}aaaa`;
  },
  'that count': (index) => `device-${index}`,
};

interface Opened {
  readonly memory: KernelMemory;
  readonly kernel: KernelExports;
}

function open(key: Uint8Array): Opened {
  const memory = createMemory(MEMORY_PAGES);
  const kernel = instantiate(loadKernel('simd'), memory);
  new Uint8Array(memory.buffer, STATE_BASE + C.CONTROL_INDEX_KEY_AT, key.length).set(key);
  kernel.open(MEMORY_PAGES * 65_536, 3, 1);
  const image = planImage(planOf([channelOf(0, 'c')], { devicesMax: DEVICES_MANY }));
  const at = kernel.plan_room(image.length);
  new Uint8Array(memory.buffer, at, image.length).set(image);
  kernel.plan_use(at, image.length, 0);
  return { memory, kernel };
}

/** A record per device; without a valid payload they are registered all the same. */
function register({ memory, kernel }: Opened, ids: readonly string[]): void {
  const log = new LogWriter();
  const payload = new Uint8Array([1]);
  for (let i = 0; i < ids.length; i += BATCH) {
    const devices = ids.slice(i, i + BATCH);
    log.batch(devices.map((device) => recordOf({ device, payload, receivedAtMs: log.nowMs })));
  }
  const view = new DataView(memory.buffer);
  const input = view.getUint32(STATE_BASE + C.CONTROL_INPUT_AT, true);
  for (const { bytes } of cut(log.messages, forever(20))) {
    new Uint8Array(memory.buffer, input, bytes.length).set(bytes);
    let code = kernel.turn(0, bytes.length);
    while (code === C.RESULT_MORE) code = kernel.resume();
    assert.equal(code, C.RESULT_DONE);
  }
  assert.equal(view.getUint32(STATE_BASE + C.CONTROL_DEVICE_COUNT_AT, true), ids.length);
}

function* forever(size: number): Generator<number> {
  for (;;) yield size;
}

/**
 * How far entries lie from the place of their hash on average, and how far they would by chance
 * (linear probing at this load; Knuth, The Art of Computer Programming 3, 6.4).
 */
function placesAway({ memory }: Opened): { readonly found: number; readonly byChance: number } {
  const view = new DataView(memory.buffer);
  const index = view.getUint32(STATE_BASE + C.CONTROL_INDEX_AT, true);
  const mask = view.getUint32(STATE_BASE + C.CONTROL_INDEX_MASK_AT, true);
  let away = 0;
  let entries = 0;
  for (let place = 0; place <= mask; place++) {
    if (view.getUint32(index + place * 8 + 4, true) === 0) continue;
    away += (place - view.getUint32(index + place * 8, true)) & mask;
    entries += 1;
  }
  const load = entries / (mask + 1);
  return { found: away / entries, byChance: load / (2 - 2 * load) };
}

/** How much more than chance gives a thousand entries or more may be away. */
const CHANCE = { times: 1.1, more: 0.05 };

function assertSpread(opened: Opened, what: string): void {
  const { found, byChance } = placesAway(opened);
  assert.isBelow(found, CHANCE.times * byChance + CHANCE.more, what);
}

function stateHash({ memory, kernel }: Opened): bigint {
  kernel.state_hash();
  const view = new DataView(memory.buffer);
  return view.getBigUint64(STATE_BASE + C.CONTROL_STATE_HASH_AT, true);
}

const keyOf = (seed: number) => new Random(seed).bytes(C.INDEX_KEY_BYTES);

describe('hostile device ids', function () {
  this.timeout(60_000);

  it('do not meet in the index, and its key shows nowhere in the state', () => {
    const ids = chosenIds(DEVICES);
    const hashes = [7, 8, 9].map((seed) => {
      const opened = open(keyOf(seed));
      register(opened, ids);
      assertSpread(opened, `key ${seed}`);
      return stateHash(opened);
    });
    assert.equal(new Set(hashes).size, 1);
  });

  for (const [family, idOf] of Object.entries(FAMILIES)) {
    it(`${family} do not meet either: ${DEVICES_MANY} of them`, () => {
      const ids = Array.from({ length: DEVICES_MANY }, (_, index) => idOf(index));
      const opened = open(keyOf(DEVICES_MANY + family.length));
      register(opened, ids);
      assertSpread(opened, family);
    });
  }

  it('would be seen to meet: under a key that is known, they can be chosen', () => {
    // The lower half of a word and its key cancel out: whatever the upper half is, nothing is left.
    const key = keyOf(1);
    const lower = Buffer.from('aaaa').readUInt32LE();
    new DataView(key.buffer).setUint32(8, -lower >>> 0, true);
    const opened = open(key);
    const ids = Array.from({ length: 2_000 }, (_, index) => `paaaa${digits(index, LETTERS, 4)}`);
    register(opened, ids);
    const { found, byChance } = placesAway(opened);
    assert.isAbove(found, 100 * byChance);
  });
});
