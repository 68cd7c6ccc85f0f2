/**
 * Captures: the state as it was when the export began, however turns go on while it is copied; the
 * hash kept block by block against the hash of everything; restores from slices.
 */
import { expect } from 'chai';
import type { KernelBuild } from '../../src/kernel/index.ts';
import type { ExportPart, Kernel, PartitionKernel } from '../../src/model/doors.ts';
import { keptObjects, nextSweep, objectName } from '../../src/runtime/state/increment.ts';
import { startKernel } from './build.ts';
import { drive, GENERATION } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, recordOf } from './log-writer.ts';
import { channelOf, MINUTE_MS, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

const PLAN = {
  ...planOf([
    channelOf(0, 'c', {
      metrics: [metricOf(0, 'm0'), metricOf(1, 'm1')],
      windows: [MINUTE_WINDOW],
    }),
  ]),
  devicesMax: 20_000,
};
const PART_BYTES = 100_000;

for (const build of ['simd', 'scalar', 'debug'] as const satisfies readonly KernelBuild[]) {
  describe(`a capture (${build})`, function () {
    this.timeout(60_000);
    let kernel: Kernel;
    before(async () => {
      kernel = await startKernel(build);
    });
    after(() => kernel.stop());

    const open = (): PartitionKernel =>
      kernel.open({
        log: LOG,
        partition: PARTITION,
        generation: GENERATION,
        memoryBytes: 64 << 20,
      });

    /** Messages that are not yet applied. */
    function fleet() {
      const log = new LogWriter();
      let applied = 0;
      log.plan(PLAN);
      return {
        /** One record of every device from `first` up to `end`, `samples` each. */
        send(first: number, end: number, samples = 1): void {
          log.at(log.nowMs + MINUTE_MS / 2);
          for (let from = first; from < end; from += 100) {
            const batch = Array.from({ length: Math.min(100, end - from) }, (_, place) => {
              const payload = encodeTelemetry({
                samples: Array.from({ length: samples }, (__, each) => ({
                  timeMs: log.nowMs - each * MINUTE_MS,
                  readings: [{ metric: 1, number: from + place + each }],
                })),
              });
              return recordOf({ device: `d${from + place}`, payload, receivedAtMs: log.nowMs });
            });
            log.batch(batch);
          }
          log.at(log.nowMs + 1).tick();
        },
        rest() {
          const messages = log.messages.slice(applied);
          applied = log.messages.length;
          return all(messages);
        },
      };
    }

    function restore(chunks: readonly Uint8Array[], hash: string): PartitionKernel {
      const fresh = open();
      for (const chunk of chunks) fresh.importState(chunk);
      fresh.importDone(hash);
      fresh.usePlan(JSON.stringify(PLAN));
      return fresh;
    }

    /** All of the parts, with something else between them. */
    async function finish(partition: PartitionKernel, between: () => Promise<unknown>) {
      const chunks: Uint8Array[] = [];
      for (;;) {
        const part: ExportPart = partition.continueExport(PART_BYTES);
        chunks.push(...part.chunks);
        if (part.rootHash !== null) return { chunks, rootHash: part.rootHash };
        await between();
      }
    }

    it('is the state where it began, though every device changes while it is copied', async () => {
      const fleetLog = fleet();
      const partition = open();
      fleetLog.send(0, 9_000);
      await drive(partition, fleetLog.rest());
      const wanted = partition.stateHash();
      const position = partition.position;
      partition.beginExport({ slice: 0, of: 0 });
      let rounds = 0;
      const { chunks, rootHash } = await finish(partition, async () => {
        rounds += 1;
        if (rounds > 2) return;
        // New devices too, which are not of the capture.
        fleetLog.send(rounds === 1 ? 4_000 : 0, rounds === 1 ? 9_500 : 9_000);
        await drive(partition, fleetLog.rest());
      });
      partition.exportDone(true);
      expect(rounds).to.be.greaterThan(1);
      expect(rootHash).to.equal(wanted);
      const copy = restore(chunks, wanted);
      expect(copy.position).to.equal(position);
      expect(copy.stats().devices).to.equal(9_000);
      expect(partition.stateHash()).to.not.equal(wanted);
      // What goes on is what a partition without any capture comes to.
      const plain = open();
      const again = fleet();
      again.send(0, 9_000);
      again.send(4_000, 9_500);
      again.send(0, 9_000);
      expect((await drive(plain, again.rest())).stateHash).to.equal(partition.stateHash());
      partition.beginExport({ slice: 0, of: 0 });
      const next = await finish(partition, async () => {});
      expect(next.rootHash).to.equal(partition.stateHash());
    });

    it('is not touched by windows that close and are flushed by ticks alone', async () => {
      const fleetLog = fleet();
      const partition = open();
      fleetLog.send(0, 9_000, 2);
      await drive(partition, fleetLog.rest());
      const wanted = partition.stateHash();
      partition.beginExport({ slice: 0, of: 0 });
      for (let tick = 0; tick < 4; tick += 1) fleetLog.send(0, 0);
      await drive(partition, fleetLog.rest());
      expect(partition.stateHash()).to.not.equal(wanted);
      const { chunks, rootHash } = await finish(partition, async () => {});
      expect(rootHash).to.equal(wanted);
      expect(restore(chunks, wanted).stateHash()).to.equal(wanted);
    });

    it('copies a block larger than all chunks together before it changes', async () => {
      const wide = planOf([
        channelOf(0, 'c', {
          metrics: Array.from({ length: 64 }, (_, ordinal) => metricOf(ordinal, `m${ordinal}`)),
          windows: [1, 2, 3, 4, 5].map((factor) => ({
            ...MINUTE_WINDOW,
            lengthMs: factor * MINUTE_MS,
          })),
          outOfOrderMs: 24 * 60 * MINUTE_MS * 5,
        }),
      ]);
      const log = new LogWriter();
      log.plan(wide);
      const send = () => {
        log.at(log.nowMs + 1);
        const samples = Array.from({ length: 320 }, (_, each) => ({
          timeMs: log.nowMs - each * MINUTE_MS,
          readings: [{ metric: 1, number: each }],
        }));
        const receivedAtMs = log.nowMs;
        for (const device of ['d0', 'd1']) {
          log.batch([recordOf({ device, payload: encodeTelemetry({ samples }), receivedAtMs })]);
        }
      };
      for (let i = 0; i < 3; i += 1) send();
      const partition = open();
      await drive(partition, all(log.messages));
      const wanted = partition.stateHash();
      partition.beginExport({ slice: 0, of: 0 });
      const before = log.messages.length;
      send();
      await drive(partition, all(log.messages.slice(before)));
      const { chunks, rootHash } = await finish(partition, async () => {});
      expect(rootHash).to.equal(wanted);
      const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
      expect(bytes).to.be.greaterThan(2 * 1_572_864);
      expect(restore(chunks, wanted).stateHash()).to.equal(wanted);
    });

    it('that is given up leaves its marks to the next one', async () => {
      const fleetLog = fleet();
      const partition = open();
      fleetLog.send(0, 3_000);
      await drive(partition, fleetLog.rest());
      partition.beginExport({ slice: 0, of: 0 });
      partition.continueExport(PART_BYTES);
      fleetLog.send(500, 700);
      await drive(partition, fleetLog.rest());
      partition.exportDone(false);
      fleetLog.send(1_500, 1_700);
      await drive(partition, fleetLog.rest());
      partition.beginExport({ slice: 0, of: 0 });
      const { chunks, rootHash } = await finish(partition, async () => {});
      expect(rootHash).to.equal(partition.stateHash());
      expect(restore(chunks, rootHash).stats().devices).to.equal(3_000);
    });

    it('in slices supersedes older ones: the kept objects are the state, and small', async () => {
      const slices = 4;
      const fleetLog = fleet();
      let partition = open();
      fleetLog.send(0, 2_000);
      const store = new Map<string, Uint8Array>();
      let kept: readonly string[] = [];
      const sizes: number[] = [];
      for (let round = 0; round < 3 * slices; round += 1) {
        // Windows open, close and are evicted; some devices fall silent for good.
        if (round > 0) fleetLog.send((round % 5) * 150, (round % 5) * 150 + 150, 1 + (round % 3));
        await drive(partition, fleetLog.rest());
        const sweep = nextSweep(kept, slices);
        partition.beginExport(sweep);
        const wanted = partition.stateHash();
        const { chunks, rootHash } = await finish(partition, async () => {});
        const done = round % 5 !== 3;
        partition.exportDone(done);
        expect(rootHash, `round ${round}`).to.equal(wanted);
        if (!done) continue;
        const names = chunks.map((_, n) => objectName(`1.1.1.${round}`, sweep, 1, n));
        names.forEach((name, n) => {
          store.set(name, chunks[n]!);
        });
        sizes.push(chunks.reduce((sum, { length }) => sum + length, 0));
        kept = keptObjects(kept, names);
        const copy = restore(
          kept.map((name) => store.get(name)!),
          wanted,
        );
        expect(copy.stateHash()).to.equal(wanted);
        // The next owner goes on from here.
        if (round % 4 === 2) partition = copy;
      }
      expect(new Set(kept.map((name) => name.split('-')[0])).size).to.equal(slices);
      for (const size of sizes.slice(1)) expect(size).to.be.lessThan(sizes[0]! / 2);
    });
  });
}
