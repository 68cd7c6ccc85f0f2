import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { createIngest } from '../../../src/ingest/index.ts';
import { isOperatingError, OperatingError } from '../../../src/model/error.ts';
import type { DeviceRecord } from '../../../src/model/record.ts';
import { decodeRecordBatch } from '../../../src/wire/record-batch.ts';
import { partitionOf } from '../../../src/wire/subject.ts';
import { MemoryLog } from '../../support/memory-log.ts';

const PARTITIONS = 4;

function record(device: string, text: string, more: Partial<DeviceRecord> = {}): DeviceRecord {
  return {
    identity: { tenant: 't', site: 's', device },
    channel: 'c',
    receivedAtMs: 1,
    payload: Buffer.from(text),
    ...more,
  };
}

function setup(log = new MemoryLog({ partitions: PARTITIONS })) {
  const ingest = createIngest({ appender: log, log, partitions: PARTITIONS, clock: systemClock });
  return { log, ingest };
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (error: unknown) => (isOperatingError(error) ? error.code : String(error)),
  );
}

describe('ingest', () => {
  it('answers with the place in the log, once the log stored the record', async () => {
    const { log, ingest } = setup();
    const sent = record('d1', 'x');
    const position = await ingest.admit(sent);
    expect(position.partition).to.equal(partitionOf(sent.identity, PARTITIONS));
    const stored = log.messages(position.partition)[Number(position.sequence) - 1];
    const [found] = decodeRecordBatch(stored.payload).slice(position.index);
    expect(Buffer.from(found.payload).toString()).to.equal('x');
  });

  it('puts records that come together into one message, in order of admission', async () => {
    const { log, ingest } = setup();
    const positions = await Promise.all(
      Array.from({ length: 100 }, (_, index) => ingest.admit(record('d1', `${index}`))),
    );
    const [{ partition }] = positions;
    expect(log.messages(partition)).to.have.length(1);
    const texts = decodeRecordBatch(log.messages(partition)[0].payload).map(({ payload }) =>
      Buffer.from(payload).toString(),
    );
    expect(texts).to.deep.equal(Array.from({ length: 100 }, (_, index) => `${index}`));
    expect(positions.map(({ index }) => index)).to.deep.equal([...texts.keys()]);
  });

  it('never makes a message larger than a log message may be', async () => {
    const { log, ingest } = setup();
    const payload = 'y'.repeat(30_000);
    const all = Array.from({ length: 7 }, () => ingest.admit(record('d1', payload)));
    const [{ partition }] = await Promise.all(all);
    const sizes = log.messages(partition).map(({ payload: body }) => body.length);
    expect(Math.max(...sizes)).to.be.at.most(65_536);
    expect(sizes).to.have.length(4);
  });

  it('keeps a device in order while appends fail and are retried', async () => {
    const { log, ingest } = setup();
    log.failAppend('refused');
    log.failAppend('refused');
    const first = ingest.admit(record('d1', 'first'));
    await systemClock.wait(10);
    const second = ingest.admit(record('d1', 'second'));
    const [before, after] = await Promise.all([first, second]);
    const order = (position: typeof before) => Number(position.sequence) * 1000 + position.index;
    expect(order(before)).to.be.below(order(after));
  });

  const refusals: [string, DeviceRecord, string][] = [
    ['an empty device id', record('', 'x'), 'IDENTITY_INVALID'],
    ['a device id of 65 characters', record('d'.repeat(65), 'x'), 'IDENTITY_INVALID'],
    ['a dot in the device id', record('a.b', 'x'), 'IDENTITY_INVALID'],
    ['a wildcard in the channel', record('d', 'x', { channel: '*' }), 'IDENTITY_INVALID'],
    ['a payload one byte too large', record('d', 'x'.repeat(61_441)), 'RECORD_TOO_LARGE'],
  ];
  for (const [what, bad, code] of refusals) {
    it(`refuses ${what} before the log, with ${code}, and counts it`, async () => {
      const { log, ingest } = setup();
      expect(await codeOf(ingest.admit(bad))).to.equal(code);
      expect(ingest.counts.refused).to.deep.equal({ [code]: 1 });
      for (let at = 0; at < PARTITIONS; at += 1) expect(log.messages(at)).to.have.length(0);
    });
  }

  it('takes a payload and ids at their limits', async () => {
    const { ingest } = setup();
    const largest = record('d'.repeat(64), 'x'.repeat(61_440), { channel: 'c'.repeat(64) });
    expect(await codeOf(ingest.admit(largest))).to.equal('none');
    expect(ingest.counts.accepted).to.equal(1);
  });

  it('tells the sender when the log is full, and takes records again when it is not', async () => {
    const { log, ingest } = setup();
    log.isFull = true;
    expect(await codeOf(ingest.admit(record('d1', 'x')))).to.equal('LOG_FULL');
    log.isFull = false;
    expect(await codeOf(ingest.admit(record('d1', 'x')))).to.equal('none');
  });

  it('refuses devices from 80 % of a log on, not one byte below, and leaves the rest', async () => {
    const bytesMax = 10_000;
    for (const [bytes, expected] of [
      [7_999, 'none'],
      [8_000, 'LOG_FULL'],
      [8_001, 'LOG_FULL'],
    ] as const) {
      const log = new MemoryLog({ partitions: 1, bytesMax });
      const subject = 'log.main.0.tick';
      log.store(0, subject, new Uint8Array(bytes - subject.length));
      const ingest = createIngest({ appender: log, log, partitions: 1, clock: systemClock });
      expect(await codeOf(ingest.admit(record('d1', 'x'))), `${bytes} B`).to.equal(expected);
      const tick = { kind: 'tick', partition: 0, body: new Uint8Array(64) } as const;
      expect(await codeOf(log.append(tick)), 'a tick').to.equal('none');
    }
  });

  it('counts what it appends itself until the log says more, and looks again', async () => {
    const log = new MemoryLog({ partitions: 1, bytesMax: 100_000 });
    const ingest = createIngest({ appender: log, log, partitions: 1, clock: systemClock });
    let stored = 0;
    while ((await codeOf(ingest.admit(record('d1', 'y'.repeat(1_000))))) === 'none') stored += 1;
    expect(stored).to.be.within(70, 80);
    const { bytes } = await log.state(0);
    expect(bytes).to.be.within(80_000, 82_000);
    expect(ingest.counts.refused).to.deep.equal({ LOG_FULL: 1 });
  });

  it('answers what it took before it stops, and refuses what comes later', async () => {
    const { ingest } = setup();
    const taken = ingest.admit(record('d1', 'x'));
    await ingest.stop();
    expect((await taken).sequence).to.equal(1n);
    expect(await codeOf(ingest.admit(record('d1', 'x')))).to.equal('INGEST_STOPPED');
  });

  it('has one append in flight per partition', async () => {
    let inFlight = 0;
    let most = 0;
    let sequence = 0n;
    const appender = {
      async append() {
        inFlight += 1;
        most = Math.max(most, inFlight);
        await systemClock.wait(2);
        inFlight -= 1;
        sequence += 1n;
        if (sequence === 2n) throw new OperatingError('APPEND_REFUSED', 'once');
        return sequence;
      },
    };
    const ingest = createIngest({
      appender,
      log: new MemoryLog({ partitions: 1 }),
      partitions: 1,
      clock: systemClock,
      lingerMs: 0,
    });
    const payload = 'z'.repeat(20_000);
    await Promise.all(Array.from({ length: 30 }, () => ingest.admit(record('d', payload))));
    expect(most).to.equal(1);
  });
});
