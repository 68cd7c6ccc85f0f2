/**
 * What checkpoints do to turns: turns become due at a fixed pace; how late each starts, and how
 * long it takes, with a checkpoint of every device under way all the time, and without. The two
 * take turns second by second, so that a busy machine is busy for both.
 */
import { systemClock } from '../../src/base/clock.ts';
import { Mutex } from '../../src/base/mutex.ts';
import type { LogChunk } from '../../src/model/doors.ts';
import { EXPORT_PART_BYTES } from '../../src/model/limit.ts';
import { Fleet } from './fleet.ts';

const PACE_MS = 10;
const TURNS_PER_SPELL = 100;
/** What the state store would hold up: parts are stored one after the other. */
const STORE_MS = 1;

export async function delayCase(devices: number, spells: number) {
  const fleet = await Fleet.open(devices);
  const { partition } = fleet;
  const boundary = new Mutex();
  const times = { off: new Times(), on: new Times() };
  const held: Held = { wallMs: [], cpuMs: [] };
  let first = 0;
  let exports = 0;
  const checkpoint = async (signal: AbortSignal) => {
    while (!signal.aborted) {
      // The worst there is: every device of the partition counts as changed.
      await boundary.run(() => timed(held, () => partition.beginExport({ slice: 0, of: 1 })));
      for (let isWhole = false; !isWhole && !signal.aborted; ) {
        const copy = () => timed(held, () => partition.continueExport(EXPORT_PART_BYTES));
        isWhole = (await boundary.run(copy)).rootHash !== null;
        await systemClock.wait(STORE_MS);
      }
      exports += signal.aborted ? 0 : 1;
      await boundary.run(() => partition.exportDone(!signal.aborted));
    }
  };
  for (let spell = 0; spell < 2 * spells; spell += 1) {
    const isOn = spell % 2 === 1;
    const chunks = fleet.report(first, TURNS_PER_SPELL * 1_000).slice(0, TURNS_PER_SPELL);
    first += TURNS_PER_SPELL * 1_000;
    const ended = new AbortController();
    const beside = isOn ? checkpoint(ended.signal) : Promise.resolve();
    await pace(
      chunks,
      times[isOn ? 'on' : 'off'],
      async (chunk) => {
        let output = await partition.turn(chunk);
        while (output.status !== 'done') output = await partition.resume();
      },
      boundary,
    );
    ended.abort();
    await beside;
  }
  const on = times.on.summary();
  const off = times.off.summary();
  return {
    ...{ devices, turns: spells * TURNS_PER_SPELL, exports, off, on },
    heldMs: summaryOf(held.wallMs),
    heldCpuMs: summaryOf(held.cpuMs),
    lateMoreP99Ms: rounded(on.lateMs.p99 - off.lateMs.p99),
  };
}

/** Each chunk is due PACE_MS behind the one before, or when that is done. */
async function pace(
  chunks: readonly LogChunk[],
  times: Times,
  turn: (chunk: LogChunk) => Promise<void>,
  boundary: Mutex,
): Promise<void> {
  for (const chunk of chunks) {
    const dueMs = systemClock.monotonicMs() + PACE_MS;
    await systemClock.wait(PACE_MS);
    await boundary.run(async () => {
      const startMs = systemClock.monotonicMs();
      await turn(chunk);
      times.late.push(Math.max(0, startMs - dueMs));
      times.length.push(systemClock.monotonicMs() - startMs);
    });
  }
}

class Times {
  readonly late: number[] = [];
  readonly length: number[] = [];

  summary() {
    return { lateMs: summaryOf(this.late), turnMs: summaryOf(this.length) };
  }
}

/** How long a checkpoint held a partition: on a shared machine only the processor counts. */
interface Held {
  readonly wallMs: number[];
  readonly cpuMs: number[];
}

function timed<Result>(into: Held, action: () => Result): Result {
  const startMs = systemClock.monotonicMs();
  const before = process.cpuUsage();
  const result = action();
  const { user, system } = process.cpuUsage(before);
  into.cpuMs.push((user + system) / 1_000);
  into.wallMs.push(systemClock.monotonicMs() - startMs);
  return result;
}

function summaryOf(values: readonly number[]) {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number) => rounded(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

const rounded = (value: number): number => Number(value.toFixed(2));
