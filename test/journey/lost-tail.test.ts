/**
 * A log that lost its tail and grew again over it, as a user meets it: the store of nats-server is
 * an older copy, devices have sent other events under the same sequence numbers meanwhile, and the
 * read model holds rows of what was lost.
 */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { createLogAppender, createLogReader, createNatsConnection } from '../../src/log/index.ts';
import { Instance } from '../support/instance.ts';
import { startServer, type TestServer } from '../support/nats-server.ts';

const DEVICES = 10;
/** Events 0 … KEPT − 1 stay in the log; up to LOST − 1 are lost; from RESENT on they come again. */
const KEPT = 400;
const LOST = 1_000;
const RESENT = 700;
const END = 1_200;
const COUNTED = KEPT + (END - RESENT);

interface Verdict {
  readonly equal: boolean;
  readonly rowsWrong: number;
}

describe('a log that lost its tail and grew again', function () {
  this.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-lost-tail-'));
  let nats: TestServer;
  let instance: Instance;

  before(async () => {
    nats = await startServer({ storeBytesMax: 4 * 1024 ** 3 });
    writeFileSync(
      join(folder, 'millrace.yaml'),
      `
nats: { url: '${nats.url}' }
log: { partitions: 1, maxBytes: 64MiB }
checkpoint: { interval: 1s }
metrics: { temperature: { unit: Cel } }
channels:
  climate: { idle: 2s, eventId: { path: id }, metrics: { temperature: {} } }
`,
    );
    instance = new Instance('--config', join(folder, 'millrace.yaml'));
    await instance.start();
  });
  after(async () => {
    await instance?.dispose();
    await nats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function send(from: number, to: number): Promise<void> {
    const file = join(folder, 'events.ndjson');
    const lines = Array.from({ length: to - from }, (_, index) => {
      const device = `d${(from + index) % DEVICES}`;
      return JSON.stringify({ device, id: `e${from + index}`, temperature: 1 });
    });
    writeFileSync(file, lines.join('\n'));
    const names = ['--channel', 'climate', '--device-column', 'device', '--id', 'id'];
    const sent = await instance.command('ingest', file, '--restart', ...names, '--json');
    expect(sent.code, sent.stderr + sent.stdout).to.equal(0);
  }

  async function countOf(sql: string): Promise<number> {
    const [row] = await instance.rows<{ n: string }>(sql);
    return Number(row?.n);
  }
  const stored = () => countOf('SELECT count() AS n FROM v_climate');
  const windowed = () =>
    countOf("SELECT sum(count) AS n FROM v_agg_1m WHERE metric = 'temperature'");

  const stream = () => join(nats.folder, 'store/jetstream/$G/streams/LOG_main_0');

  /** The stream is an older copy of itself, and holds other messages where the lost ones were. */
  async function loseTail(copy: string): Promise<void> {
    const before = await logState();
    await nats.kill();
    rmSync(stream(), { recursive: true });
    cpSync(copy, stream(), { recursive: true });
    await nats.restart();
    const link = await createNatsConnection({ url: nats.url, name: 'grow' });
    const appender = createLogAppender({ link, logId: 'main' });
    const { lastSequence } = await createLogReader({ link, logId: 'main' }).state(0);
    expect(Number(lastSequence)).to.be.below(Number(before.lastSequence));
    // Empty batches: log messages without a record, so that only the resent events count.
    const body = new Uint8Array(0);
    for (let last = lastSequence; last < before.lastSequence + 5n; ) {
      last = await appender.append({ kind: 'tick', partition: 0, body });
    }
    await link.close();
  }

  async function logState() {
    const link = await createNatsConnection({ url: nats.url, name: 'look' });
    const state = await createLogReader({ link, logId: 'main' }).state(0);
    await link.close();
    return state;
  }

  it('goes on in a new generation, hides what was lost, counts what comes again once', async () => {
    await send(0, KEPT);
    await instance.until('the first rows', async () => (await stored()) === KEPT);
    await instance.stop();
    await nats.kill();
    const copy = join(folder, 'copy');
    cpSync(stream(), copy, { recursive: true });
    await nats.restart();
    await instance.start();
    await send(KEPT, LOST);
    await instance.until('all rows', async () => (await stored()) === LOST);
    await instance.until('all windows', async () => (await windowed()) === LOST);
    await instance.stop(); // with a checkpoint of the lost tail
    await loseTail(copy);
    await instance.start();
    await instance.until('what was lost is hidden', async () => (await stored()) === KEPT);
    await instance.until('also in windows', async () => (await windowed()) === KEPT);
    expect(instance.stderr).to.include('LOG_TAIL_LOST').and.include('Generation 2 goes on behind');
    await instance.until('it is counted', async () => instance.troubles.LOG_TAIL_LOST === 1);
    await send(RESENT, END);
    await instance.until('the events sent again', async () => (await stored()) === COUNTED);
    await instance.until('their windows', async () => (await windowed()) === COUNTED);
    await send(RESENT, END); // once more: duplicates
    const ledger = await instance.command('ledger', '--summary', '--json');
    expect(JSON.parse(ledger.stdout), ledger.stderr).to.include({ balanced: true });
    expect([await stored(), await windowed()]).to.deep.equal([COUNTED, COUNTED]);
    const { code, stdout, stderr } = await instance.command('verify', '--all', '--json');
    const [verdict] = stdout.split('\n').map((line) => JSON.parse(line || 'null') as Verdict);
    expect(verdict, stdout + stderr).to.include({ equal: true, rowsWrong: 0 });
    expect(code, stderr).to.equal(0);
  });

  it('is recovered from once: the next start says nothing of it', async () => {
    await instance.stop();
    await instance.start();
    await instance.until('it runs', async () => (await stored()) === COUNTED);
    expect(instance.stderr).to.not.include('LOG_TAIL_LOST');
    expect(await countOf('SELECT max(generation) AS n FROM generations')).to.equal(2);
  });
});
