/**
 * What an operator meets when checkpoints or log are damaged, over real engines: each has a message
 * with a code, is counted by `up --json`, and loses nothing. A partition that cannot go on halts.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import {
  createLogAppender,
  createLogPurger,
  createLogReader,
  createNatsConnection,
  createOwnership,
  createStateStore,
  type NatsLink,
} from '../../src/log/index.ts';
import type { OwnershipRecord } from '../../src/model/doors.ts';
import { Instance } from '../support/instance.ts';
import { startServer, type TestServer } from '../support/nats-server.ts';

const BATCH = 200;

describe('damaged checkpoints and logs', function () {
  this.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-halt-'));
  let nats: TestServer;
  let link: NatsLink;
  let instance: Instance;
  let sent = 0;

  before(async () => {
    nats = await startServer({ storeBytesMax: 4 * 1024 ** 3 });
    writeFileSync(
      join(folder, 'millrace.yaml'),
      `
nats: { url: '${nats.url}' }
log: { partitions: 1, maxBytes: 64MiB }
checkpoint: { interval: 1s }
metrics: { temperature: { unit: Cel } }
channels: { climate: { eventId: { path: id }, metrics: { temperature: {} } } }
`,
    );
    instance = new Instance('--config', join(folder, 'millrace.yaml'));
    await instance.start();
    link = await createNatsConnection({ url: nats.url, name: 'test' });
    await instance.until('an owner', async () => (await ownership().load(0)) !== null);
  });
  after(async () => {
    await link?.close();
    await instance?.dispose();
    await nats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  async function send(): Promise<void> {
    const file = join(folder, 'events.ndjson');
    const lines = Array.from({ length: BATCH }, (_, index) =>
      JSON.stringify({ device: `d${index % 10}`, id: `e${sent + index}`, temperature: 1 }),
    );
    writeFileSync(file, lines.join('\n'));
    const names = ['--channel', 'climate', '--device-column', 'device', '--id', 'id'];
    const result = await instance.command('ingest', file, '--restart', ...names, '--json');
    expect(result.code, result.stderr + result.stdout).to.equal(0);
    sent += BATCH;
  }

  async function allStored(): Promise<boolean> {
    const [row] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_climate');
    return Number(row?.n) === sent;
  }

  const ownership = () => createOwnership({ link, job: 'core', log: 'main' });

  async function record(): Promise<{ record: OwnershipRecord; revision: bigint }> {
    return (await ownership().load(0))!;
  }

  async function checkpointBeyond(position: string): Promise<void> {
    await instance.until('a checkpoint', async () => {
      return BigInt((await record()).record.position) > BigInt(position);
    });
  }

  const counted = (code: string) =>
    instance.until(`${code} is counted`, async () => (instance.troubles[code] ?? 0) > 0);

  it('an object of the newest checkpoint is gone: an older one is used', async () => {
    for (let turn = 0; turn < 2; turn += 1) {
      const { position } = (await record()).record;
      await send();
      await instance.until('the rows', allStored);
      await checkpointBeyond(position);
    }
    await instance.stop();
    const { objects } = (await record()).record;
    await createStateStore({ link, log: 'main' }).remove(objects.slice(-1));
    await instance.start();
    await counted('CHECKPOINT_CORRUPT');
    expect(instance.stderr).to.include(objects.at(-1)).and.include('older checkpoint');
    await send();
    await instance.until('the rows', allStored);
  });

  it('stream STATE is full: turns go on, the log is kept, then checkpoints too', async () => {
    const { position } = (await record()).record;
    await resizeState(1);
    await send();
    await counted('STATE_FULL');
    await instance.until('the rows', allStored);
    await resizeState(1024 ** 3);
    await checkpointBeyond(position);
    expect(instance.stderr).to.include('STATE_FULL').and.include('tried again');
  });

  async function resizeState(bytesMax: number): Promise<void> {
    const { streams } = await (await import('@nats-io/jetstream')).jetstreamManager(link.nc);
    await streams.update('STATE', { max_bytes: bytesMax });
  }

  it('a checkpoint of a later version: nothing is touched, it says which to start', async () => {
    await instance.stop();
    const found = await record();
    const future = { ...found.record, semanticsVersion: 99, nonce: 'future' };
    const revision = await ownership().save(0, future, found.revision);
    await instance.start();
    await counted('CHECKPOINT_INCOMPATIBLE');
    expect(instance.stderr).to.include('semantics 99').and.include('newer version');
    await instance.stop();
    expect(await record()).to.deep.equal({ record: future, revision });
    await ownership().save(0, { ...found.record, nonce: 'back' }, revision!);
    await instance.start();
    await send();
    await instance.until('the rows', allStored);
  });

  it('NATS does not answer, as without its majority: it pauses, says so, and goes on', async () => {
    await send();
    await instance.until('the rows', allStored);
    nats.pause();
    try {
      await counted('OWNERSHIP_UNREACHABLE');
    } finally {
      nats.resume();
    }
    await send();
    await instance.until('the rows', allStored);
    expect(instance.stderr).to.include('OWNERSHIP_UNREACHABLE').and.include('pauses');
  });

  it('the log was purged beyond the checkpoint: it halts, and steps over nothing', async () => {
    await instance.stop();
    const before = await record();
    const appender = createLogAppender({ link, logId: 'main' });
    const body = new Uint8Array(0);
    let last = 0n;
    for (let count = 0; count < 3; count += 1) {
      last = await appender.append({ kind: 'tick', partition: 0, body });
    }
    await createLogPurger({ link, logId: 'main' }).purge(0, last, systemClock.nowMs() + 60_000);
    const { firstSequence } = await createLogReader({ link, logId: 'main' }).state(0);
    expect(firstSequence).to.equal(last);
    await instance.start();
    await counted('LOG_PURGED');
    expect(instance.stderr).to.include('LOG_PURGED').and.include(`begins at ${last}`);
    const status = await instance.command('status');
    expect(status.code).to.equal(4);
    expect(status.stdout).to.include('halted').and.include('LOG_PURGED');
    await instance.stop();
    expect((await record()).record.position).to.equal(before.record.position);
  });
});
