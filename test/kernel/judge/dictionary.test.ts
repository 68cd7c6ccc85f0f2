/** Texts: kept once per partition, bounded, in rows, shadows, checkpoints and the state's hash. */
import { expect } from 'chai';
import { TEXT_BYTES_MAX } from '../../../assembly/shared/abi.ts';
import { EXPORT_CHUNK_BYTES } from '../../../assembly/shared/control.ts';
import type { Kernel, PartitionKernel } from '../../../src/model/doors.ts';
import type { Plan } from '../../../src/model/plan.ts';
import { startKernel } from '../build.ts';
import { drive } from '../drive.ts';
import { all } from '../log-writer.ts';
import { channelOf, metricOf, planOf } from '../plan-sample.ts';
import { atS, Story } from '../story.ts';
import { encodeTelemetry } from '../telemetry.ts';

const METRICS = [metricOf(0, 'mode', { kind: 'text' }), metricOf(1, 'name', { kind: 'text' })];
const planFor = (given: Partial<Plan> = {}): Plan =>
  planOf([channelOf(0, 'c', { metrics: METRICS, windows: [] })], given);

describe('a text', function () {
  this.timeout(60_000);
  let kernel: Kernel;
  before(async () => {
    kernel = await startKernel('debug');
  });
  after(() => kernel.stop());

  const told = (given: Partial<Plan> = {}) => new Story(planFor(given));
  /** One sample with texts by ordinal. */
  const send = (story: Story, second: number, texts: Record<number, string>, device = 'd1') =>
    story.send(
      second,
      {},
      {
        device,
        raw: encodeTelemetry({
          samples: [
            {
              timeMs: atS(second),
              readings: Object.entries(texts).map(([ordinal, text]) => ({
                ...{ metric: Number(ordinal) + 1, text },
              })),
            },
          ],
        }),
      },
    );
  const utf8 = (latin1: unknown) => Buffer.from(String(latin1), 'latin1').toString('utf8');

  it('comes out of rows and shadows as it went in, the empty one too', async () => {
    const long = 'ü'.repeat(TEXT_BYTES_MAX / 2);
    const story = send(send(told(), 0, { 0: 'an', 1: '' }), 1, { 0: long });
    const outcome = await send(story, 2, { 1: 'aus 🚚' }).tick(3).play(kernel);
    const rows = outcome.tables.get('ch_c')!;
    expect(rows.map((row) => [utf8(row.mode), utf8(row.name), row.presence])).to.deep.equal([
      ['an', '', 3n],
      [long, '', 1n],
      ['', 'aus 🚚', 2n],
    ]);
    const shadow = outcome.facts.at(-1)!;
    expect(shadow.kind === 'shadow' && shadow.reported.map(({ value }) => value)).to.deep.equal([
      ...[long, 'aus 🚚'],
    ]);
  });

  it('beyond textsMax is refused when new, in payload order, and not when known', async () => {
    const story = send(told({ textsMax: 3 }), 0, { 0: 'a', 1: 'b' });
    send(story, 1, { 0: 'c', 1: 'd' });
    send(story, 2, { 0: 'e' });
    send(send(story, 3, { 0: 'd' }), 4, { 0: 'b', 1: 'c' }, 'd2');
    const wanted = ['', 'TEXT_LIMIT', 'TEXT_LIMIT', 'TEXT_LIMIT', ''];
    expect(await story.statuses(kernel)).to.deep.equal(wanted);
  });

  it('that is the same for all costs the partition nothing more', async () => {
    const story = told({ textsMax: 1 });
    for (let each = 0; each < 50; each += 1) send(story, each, { 0: 'same' }, `d${each}`);
    expect(await story.statuses(kernel)).to.deep.equal(Array(50).fill(''));
  });

  it('that stays the same for too long is stuck', async () => {
    const metrics = [metricOf(0, 'mode', { kind: 'text', stuckMs: 1_000 })];
    const story = new Story(planOf([channelOf(0, 'c', { metrics, windows: [] })]));
    send(send(send(story, 0, { 0: 'auto' }), 1, { 0: 'auto' }), 2, { 0: 'auto' });
    send(send(story, 3, { 0: 'manual' }), 4, { 0: 'auto' });
    expect(await story.statuses(kernel)).to.deep.equal(['', '', 'VALUE_STUCK', '', '']);
  });

  it('by the ten thousands is found again, through many pages', async () => {
    const story = told();
    const texts = Array.from(
      { length: 20_000 },
      (_, each) => `text ${each} ${'x'.repeat(each % 97)}`,
    );
    for (const round of [0, 1]) {
      for (let first = 0; first < texts.length; first += 500) {
        const samples = texts.slice(first, first + 500).map((text) => ({
          ...{ timeMs: atS(round), readings: [{ metric: 1, text }] },
        }));
        story.send(round, {}, { raw: encodeTelemetry({ samples }) });
      }
    }
    const outcome = await drive(story.open(kernel), all(story.log.messages));
    const rows = outcome.tables.get('ch_c')!;
    expect(rows.map(({ mode }) => mode)).to.deep.equal([...texts, ...texts]);
  });

  describe('in a checkpoint', () => {
    function restore(story: Story, chunks: readonly Uint8Array[], hash: string): PartitionKernel {
      const fresh = story.open(kernel);
      for (const chunk of chunks) fresh.importState(chunk);
      fresh.importDone(hash);
      fresh.usePlan(JSON.stringify(planFor()));
      return fresh;
    }
    const many = (story: Story, from: number, count: number) => {
      for (let each = from; each < from + count; each += 1)
        send(story, each, { 0: `text ${each}` });
      return story;
    };

    it('comes back, with ids that go on where they were', async () => {
      const story = many(told(), 0, 100);
      const partition = story.open(kernel);
      await drive(partition, all(story.log.messages));
      const fresh = restore(story, [...partition.exportState('all')], partition.stateHash());
      const rest = all(many(story, 50, 100).tick(300).log.messages.slice(101));
      const [one, other] = [await drive(partition, rest), await drive(fresh, rest)];
      expect(other.stateHash).to.equal(one.stateHash);
      expect(other.tables.get('ch_c')).to.deep.equal(one.tables.get('ch_c'));
      expect(other.facts).to.deep.equal(one.facts);
    });

    it('of what changed has the new ones, and again those that were not acknowledged', async () => {
      const story = many(told(), 0, 10);
      const partition = story.open(kernel);
      const chunks: Uint8Array[] = [];
      let done = 0;
      for (const acknowledged of [true, false, true]) {
        await drive(partition, all(story.log.messages.slice(done)));
        done = story.log.messages.length;
        const part = [...partition.exportState('changed')];
        partition.exportDone(acknowledged);
        if (acknowledged) chunks.push(...part);
        many(story, done, 10);
      }
      const fresh = restore(story, chunks, partition.stateHash());
      expect(fresh.stateHash()).to.equal(partition.stateHash());
      const grown = chunks.map((chunk) => Buffer.from(chunk).includes('text 0'));
      expect(grown.filter(Boolean)).to.have.lengthOf(1);
    });

    it('larger than a chunk crosses in several', async () => {
      const story = told();
      const texts = Array.from({ length: 6_000 }, (_, each) =>
        `${each} `.padEnd(TEXT_BYTES_MAX, 'y'),
      );
      for (let first = 0; first < texts.length; first += 200) {
        const samples = texts.slice(first, first + 200).map((text) => ({
          ...{ timeMs: atS(0), readings: [{ metric: 1, text }] },
        }));
        story.send(0, {}, { raw: encodeTelemetry({ samples }) });
      }
      const partition = story.open(kernel);
      await drive(partition, all(story.log.messages));
      const chunks = [...partition.exportState('all')];
      expect(chunks.length).to.be.greaterThan(2);
      for (const chunk of chunks) expect(chunk.length).to.be.at.most(EXPORT_CHUNK_BYTES);
      restore(story, chunks, partition.stateHash());
      expect(() => restore(story, chunks.slice(1), partition.stateHash())).to.throw();
    });

    it('that was changed there is CHECKPOINT_CORRUPT', async () => {
      const story = many(told(), 0, 3);
      const partition = story.open(kernel);
      await drive(partition, all(story.log.messages));
      const chunk = Buffer.from([...partition.exportState('all')][0]!);
      const at = chunk.indexOf('text 1');
      for (const digit of ['9', '0']) {
        const damaged = Buffer.from(chunk);
        damaged.write(digit, at + 5);
        expect(() => restore(story, [damaged], partition.stateHash())).to.throw(/checkpoint/);
      }
    });
  });
});
