import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { readRows } from '../../src/cli/use/row-file.ts';
import { exampleFile } from '../../src/config/index.ts';
import { createKernel } from '../../src/kernel/index.ts';
import type { Kernel } from '../../src/model/doors.ts';
import type { DeviceRecord } from '../../src/model/record.ts';
import { createRandom } from '../../src/sim/random.ts';
import type { LogMessage } from '../../src/wire/chunk.ts';
import {
  apply,
  cut,
  logOf,
  Outcome,
  openKernel,
  planOf,
  START_OF_LOG_MS,
} from '../support/cut-log.ts';
import { MIXED_CONFIG, mixedStream } from '../support/mixed-stream.ts';
import { csvPath, needNab, SERIES } from '../support/nab.ts';

const MIXED_RECORDS = 100_000;
const RECORDS_PER_BATCH = 150;
const SEED = 7;

async function nabRecords(): Promise<DeviceRecord[]> {
  const records: DeviceRecord[] = [];
  for (const { channel, files } of SERIES) {
    for (const file of files) {
      const options = { columns: null, idColumn: null, deviceColumn: null };
      for await (const { payload, number } of readRows({ file: csvPath(file), ...options })) {
        records.push({
          identity: { tenant: 'default', site: 'default', device: file },
          channel,
          receivedAtMs: 0,
          payload,
          key: { bootId: 1n, sequence: BigInt(number) },
        });
      }
    }
  }
  return records;
}

function* mixedRecords(): Generator<DeviceRecord> {
  for (const { record } of mixedStream(SEED, MIXED_RECORDS, START_OF_LOG_MS)) yield record;
}

const STREAMS: readonly (readonly [string, () => Promise<LogMessage[]>])[] = [
  [
    'the nine real series',
    async () =>
      logOf(
        planOf(readFileSync(exampleFile('nab'), 'utf8')),
        await nabRecords(),
        RECORDS_PER_BATCH,
      ),
  ],
  [
    'a stream with bad input of every kind',
    async () => logOf(planOf(MIXED_CONFIG), mixedRecords(), RECORDS_PER_BATCH),
  ],
];

for (const [title, make] of STREAMS) {
  describe(`cut into turns of any size: ${title}`, function () {
    this.timeout(120_000);
    let kernel: Kernel;
    let messages: LogMessage[];
    let whole: string;

    before(async function () {
      if (title.includes('real')) needNab(this);
      kernel = await createKernel({ build: 'auto', workers: 0 });
      messages = await make();
      whole = await digestOf(() => Number.MAX_SAFE_INTEGER);
    });
    after(() => kernel?.stop());

    async function digestOf(size: () => number): Promise<string> {
      const partition = openKernel(kernel);
      const outcome = new Outcome();
      await apply(partition, cut(messages, size), outcome);
      partition.close();
      expect(outcome.count).to.be.above(10_000);
      return outcome.digest;
    }

    it('gives equal state, rows and facts when every message is a turn', async () => {
      expect(await digestOf(() => 1)).to.equal(whole);
    });

    it('gives equal state, rows and facts for turns of random size', async () => {
      const random = createRandom(SEED);
      expect(await digestOf(() => 1 + random.integer(60))).to.equal(whole);
    });

    it('gives equal state, rows and facts on another build and on worker threads', async () => {
      for (const settings of [
        { build: 'scalar', workers: 0 },
        { build: 'simd', workers: 2 },
      ] as const) {
        const other = await createKernel(settings);
        const partition = openKernel(other);
        const outcome = new Outcome();
        await apply(
          partition,
          cut(messages, () => 40),
          outcome,
        );
        partition.close();
        await other.stop();
        expect(outcome.digest).to.equal(whole);
      }
    });

    for (const share of [0.1, 0.35, 0.5, 0.8, 0.99]) {
      it(`goes on from a checkpoint at ${share * 100} % of the log`, async () => {
        const at = Math.max(2, Math.floor(messages.length * share));
        const outcome = new Outcome();
        const first = openKernel(kernel);
        await apply(
          first,
          cut(messages.slice(0, at), () => 50),
          outcome,
        );
        const chunks = [...first.exportState('all')].map((bytes) => bytes.slice());
        const rootHash = first.stateHash();
        first.exportDone(true);
        first.close();
        const second = openKernel(kernel);
        second.usePlan(Buffer.from(messages[0].payload).toString('utf8'));
        for (const chunk of chunks) second.importState(chunk);
        second.importDone(rootHash);
        const random = createRandom(at);
        const rest = messages.slice(at);
        await apply(
          second,
          cut(rest, () => 1 + random.integer(30)),
          outcome,
        );
        second.close();
        expect(outcome.digest).to.equal(whole);
      });
    }
  });
}
