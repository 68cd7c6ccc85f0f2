/**
 * SenML in the kernel, record by record: relative times count from the received time, base fields
 * make names, and what a pack promises (`ut`) decides what is missing. JSON and CBOR alike.
 */
import { Encoder } from 'cbor-x';
import { expect } from 'chai';
import type { Kernel } from '../../../src/model/doors.ts';
import { startKernel } from '../build.ts';
import { metricOf } from '../plan-sample.ts';
import { atS, Story } from '../story.ts';

const METRICS = [metricOf(0, 'temp', { sentUnit: 'Cel' }), metricOf(1, 'hum')];
const LABELS: Readonly<Record<string, number>> = {
  ...{ bn: -2, bt: -3, bu: -4, bv: -5, n: 0, u: 1, v: 2, t: 6, ut: 7 },
};
type Entry = Readonly<Record<string, string | number>>;

const encoder = new Encoder({ mapsAsObjects: false, useRecords: false, tagUint8Array: false });

const WRITERS = {
  'senml-json': (pack: readonly Entry[]) => Buffer.from(JSON.stringify(pack)),
  'senml-cbor': (pack: readonly Entry[]) =>
    Buffer.from(
      encoder.encode(
        pack.map(
          (entry) => new Map(Object.entries(entry).map(([name, value]) => [LABELS[name], value])),
        ),
      ),
    ),
};

for (const format of ['senml-json', 'senml-cbor'] as const) {
  describe(`${format} in whole logs`, function () {
    this.timeout(60_000);
    let kernel: Kernel;
    before(async () => {
      kernel = await startKernel('debug');
    });
    after(() => kernel.stop());

    const told = () => Story.of({ format, metrics: METRICS }, { quality: true });
    const send = (story: Story, second: number, pack: readonly Entry[], received = second) =>
      story.send(second, {}, { raw: WRITERS[format](pack), received });

    async function completeness(story: Story): Promise<string> {
      const rows = (await story.tick(100_000).play(kernel)).tables.get('quality_1m') ?? [];
      const sum = (name: string) => rows.reduce((all, row) => all + (row[name] as bigint), 0n);
      return `${sum('completeness_good')}/${sum('completeness_total')}`;
    }

    /** `ut` of the second sample, its seconds after the first, and what is missing between. */
    for (const [promise, gap, missing] of [
      [10, 10, 0],
      [10, 10.25, 1],
      [10, 20, 1],
      [10, 20.25, 2],
      [10, 35, 3],
      [0.5, 2, 3],
      [60, 5, 0],
      // No promise: by cadence, which the first gap only begins.
      [0, 35, 0],
      [-1, 35, 0],
    ] as const) {
      it(`ut ${promise}: ${gap} s after the last sample ${missing} are missing`, async () => {
        const story = told();
        for (const second of [100, 100 + gap]) {
          send(story, 200, [{ n: 'temp', v: second, t: atS(second) / 1000, ut: promise }]);
        }
        expect(await completeness(story)).to.equal(`2/${2 + missing}`);
      });
    }

    it('promises the least of what its readings do, and only for one sample', async () => {
      const story = told();
      const t = atS(100) / 1000;
      send(story, 100, [{ n: 'temp', v: 1, t, ut: 1 }]);
      send(story, 110, [
        { n: 'temp', v: 1, t: t + 10, ut: 5 },
        { n: 'hum', v: 1, t: t + 10, ut: 2 },
      ]);
      // Ten seconds at two each: four. Then none is promised, and the cadence begins.
      send(story, 130, [{ n: 'temp', v: 1, t: t + 30 }]);
      expect(await completeness(story)).to.equal('3/7');
    });

    it('counts relative times from the received time, in packs and in base times', async () => {
      const story = told();
      send(
        story,
        100,
        [
          { bn: 'dev:', n: 'temp', v: 1, t: -5 },
          { n: 'hum', v: 2, t: -4.5 },
        ],
        90,
      );
      send(story, 200, [
        { bt: -10, n: 'temp', v: 3 },
        { n: 'temp', v: 4, t: 2 },
      ]);
      send(story, 300, [{ n: 'temp', v: 5 }]);
      const rows = await story.rows(kernel, 'ch_c', ['event_time', 'flags']);
      const seconds = rows.map(({ event_time, flags }) => [
        (Number(event_time) - atS(0)) / 1000,
        flags,
      ]);
      expect(seconds.map(([second]) => second)).to.deep.equal([85, 85.5, 190, 192, 300]);
      // Only the last one has no time of its own.
      expect(seconds.map(([, flags]) => flags !== 0)).to.deep.equal([
        ...[false, false, false, false, true],
      ]);
    });

    it('refuses another unit than the metric is sent in; one need not be said', async () => {
      const story = told();
      const units: Entry[] = [{ u: 'K' }, { u: 'Cel' }, {}, { bu: 'K' }, { bu: 'K', u: 'Cel' }];
      for (const unit of units) {
        send(story, 100, [{ n: 'temp', v: 1, ...unit }]);
      }
      expect(await story.statuses(kernel)).to.deep.equal([
        ...['UNIT_MISMATCH', '', '', 'UNIT_MISMATCH', ''],
      ]);
    });
  });
}
