import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { createIngest } from '../../src/ingest/index.ts';
import {
  createLogAppender,
  createLogReader,
  createNatsConnection,
  type NatsLink,
} from '../../src/log/index.ts';
import type { LogPosition } from '../../src/model/record.ts';
import { decodeRecordBatch } from '../../src/wire/record-batch.ts';
import { Instance } from '../support/instance.ts';
import { MIXED_CONFIG, type MixedRecord, mixedStream, REASONS } from '../support/mixed-stream.ts';

const RECORDS = 100_000;
const SEED = 4;
const BROKEN_BATCHES = 7;
const IN_FLIGHT_MAX = 20_000;

interface Sent extends MixedRecord {
  readonly position: LogPosition;
}

const key = ({ partition, sequence, index }: LogPosition) => `${partition}:${sequence}:${index}`;

describe('a stream in which one record in twenty is bad', function () {
  this.timeout(180_000);
  const instance = new Instance();
  let link: NatsLink;
  let sent: Sent[];
  let broken: LogPosition[];

  before(async () => {
    const config = join(instance.folder, 'mixed.yaml');
    writeFileSync(config, MIXED_CONFIG);
    await instance.start('--config', config);
    link = await createNatsConnection({ ...instance.state.nats, name: 'test' });
    const appender = createLogAppender({ link, logId: 'main' });
    sent = await sendAll(instance.state.partitions);
    broken = await Promise.all(
      Array.from({ length: BROKEN_BATCHES }, async (_, partition) => {
        const body = Buffer.from('this is no record batch');
        const sequence = await appender.append({ kind: 'batch', partition, body });
        return { partition, sequence, index: 0 };
      }),
    );
    await instance.until('everything folded', async () => {
      const [{ records }] = await instance.rows<{ records: string }>(
        'SELECT sum(records_in) AS records FROM v_ledger',
      );
      return Number(records) >= RECORDS + BROKEN_BATCHES;
    });
  });
  after(async () => {
    await link?.close();
    await instance.dispose();
  });

  async function sendAll(partitions: number): Promise<Sent[]> {
    const appender = createLogAppender({ link, logId: 'main' });
    const log = createLogReader({ link, logId: 'main' });
    const ingest = createIngest({ appender, log, partitions, clock: systemClock });
    const answers: Promise<Sent>[] = [];
    for (const mixed of mixedStream(SEED, RECORDS, systemClock.nowMs())) {
      answers.push(ingest.admit(mixed.record).then((position) => ({ ...mixed, position })));
      if (answers.length % IN_FLIGHT_MAX === 0) await Promise.all(answers);
    }
    const all = await Promise.all(answers);
    await ingest.stop();
    return all;
  }

  function expectedCounts(): Map<string, number> {
    const counts = new Map([['BATCH_MALFORMED', BROKEN_BATCHES]]);
    for (const { reason } of sent) if (reason) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    return counts;
  }

  it('balances to the last record', async () => {
    const [ledger] = await instance.rows<Record<string, string>>(
      `SELECT sum(records_in) AS records, countIf(NOT balanced) AS unbalanced,
       sum(stored + partly + duplicate + dedup_unknown + too_late + rejected + filtered + skipped)
         AS ended, sum(stored) AS good, sum(samples_stored) AS samples FROM v_ledger`,
    );
    const good = sent.filter(({ reason }) => reason === null).length;
    expect(ledger['records']).to.equal(`${RECORDS + BROKEN_BATCHES}`);
    expect(ledger['ended']).to.equal(ledger['records']);
    expect(ledger['unbalanced']).to.equal('0');
    expect(Number(ledger['good'])).to.be.at.least(good);
    const [rows] = await instance.rows<{ n: string }>(
      'SELECT (SELECT count() FROM v_climate) + (SELECT count() FROM v_meter) AS n',
    );
    expect(rows.n).to.equal(ledger['samples']);
  });

  it('counts every reason exactly as often as it was injected', async () => {
    const found = await instance.rows<{ reason: string; n: string }>(
      'SELECT reason, count() AS n FROM v_dead_letters GROUP BY reason',
    );
    const counts = new Map(found.map(({ reason, n }) => [reason, Number(n)]));
    expect([...counts].sort()).to.deep.equal([...expectedCounts()].sort());
    expect(REASONS.every((reason) => (counts.get(reason) ?? 0) > 100)).to.equal(true);
  });

  it('names for every dead letter the place where the sent bytes lie in the log', async () => {
    const reader = createLogReader({ link, logId: 'main' });
    const letters = await instance.rows<{
      partition: number;
      sequence: string;
      index: number;
      reason: string;
    }>('SELECT partition, sequence, index, reason FROM v_dead_letters');
    const byPosition = new Map(sent.map((each) => [key(each.position), each]));
    const brokenKeys = new Set(broken.map(key));
    for (const letter of letters) {
      const position = { ...letter, sequence: BigInt(letter.sequence) };
      if (brokenKeys.has(key(position))) continue;
      const origin = byPosition.get(key(position));
      expect(origin?.reason, key(position)).to.equal(letter.reason);
      const message = await reader.message(letter.partition, position.sequence);
      const [record] = decodeRecordBatch(message!.payload).slice(letter.index);
      expect(Buffer.compare(record.payload, origin!.record.payload)).to.equal(0);
    }
  });

  it('shows the raw bytes of a dead letter of each reason by one command', async () => {
    for (const reason of REASONS) {
      const one = sent.find((each) => each.reason === reason)!;
      const { partition, sequence, index } = one.position;
      const place = [partition, sequence, index].map(String);
      const shown = await instance.command('dlq', 'show', ...place, '--raw');
      expect(shown.code, shown.stderr).to.equal(0);
      const expected = Buffer.from(one.record.payload).toString('utf8');
      expect(shown.stdout, reason).to.equal(expected);
    }
  });
});
