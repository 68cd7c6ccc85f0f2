/**
 * The index of devices under ids that were chosen to meet: all of them have the same hash under the
 * function that names in a plan use, which is public. Probes are counted, not time.
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

const MEMORY_PAGES = 2048;
const DEVICES = 20_000;
const BATCH = 400;
/** Entries of an index under load 0.6 lie less than one place from where they belong. */
const PLACES_AWAY_MAX = 1.5;

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

interface Opened {
  readonly memory: KernelMemory;
  readonly kernel: KernelExports;
}

function open(key: Uint8Array): Opened {
  const memory = createMemory(MEMORY_PAGES);
  const kernel = instantiate(loadKernel('simd'), memory);
  new Uint8Array(memory.buffer, STATE_BASE + C.CONTROL_INDEX_KEY_AT, key.length).set(key);
  kernel.open(MEMORY_PAGES * 65_536, 3, 1);
  const image = planImage(planOf([channelOf(0, 'c')], { devicesMax: DEVICES }));
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

/** How far entries lie from the place of their hash, on average. */
function placesAway({ memory }: Opened): number {
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
  return away / entries;
}

function stateHash({ memory, kernel }: Opened): bigint {
  kernel.state_hash();
  const view = new DataView(memory.buffer);
  return view.getBigUint64(STATE_BASE + C.CONTROL_STATE_HASH_AT, true);
}

const keyOf = (seed: number) =>
  Uint8Array.from({ length: C.INDEX_KEY_BYTES }, (_, i) => Math.imul(seed + i, 0x9e3779b1) >>> 24);

describe('hostile device ids', function () {
  this.timeout(60_000);

  it('do not meet in the index, and its key shows nowhere in the state', () => {
    const ids = chosenIds(DEVICES);
    const hashes = [7, 8, 9].map((seed) => {
      const opened = open(keyOf(seed));
      register(opened, ids);
      assert.isBelow(placesAway(opened), PLACES_AWAY_MAX, `key ${seed}`);
      return stateHash(opened);
    });
    assert.equal(new Set(hashes).size, 1);
  });
});
