import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { createMembership, createNatsConnection } from '../../src/log/index.ts';
import { startClickHouse, type TestClickHouse } from '../support/clickhouse.ts';
import { Instance, millrace } from '../support/instance.ts';
import { startServer, type TestServer } from '../support/nats-server.ts';

const EVENTS = 6_000;
const STORE_BYTES = 4 * 1024 ** 3;

interface Status {
  readonly members: readonly { id: string; owns: readonly unknown[]; follows: unknown[] }[];
  readonly partitions: readonly { owner: string; alive: boolean; standbys: unknown[] }[];
}

describe('workers that join one log', function () {
  this.timeout(240_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-worker-'));
  const undo: (() => unknown)[] = [];
  let nats: TestServer;
  let clickHouse: TestClickHouse;

  before(async () => {
    nats = await startServer({ storeBytesMax: STORE_BYTES });
    clickHouse = await startClickHouse();
  });
  after(async () => {
    await clickHouse?.stop();
    await nats?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  });

  function configFile(log: string, windows = '[1m]'): string {
    const file = join(folder, `${log}-${windows.replace(/\W/g, '')}.yaml`);
    const { url, admin } = clickHouse;
    writeFileSync(
      file,
      `
log: { id: ${log}, partitions: 4, maxBytes: 256MiB }
clickhouse: { url: '${url}', user: ${admin.user}, password: ${admin.password}, database: db_${log} }
checkpoint: { interval: 1s }
metrics: { temperature: { unit: Cel } }
channels:
  climate: { windows: ${windows}, eventId: { path: id }, metrics: { temperature: {} } }
`,
    );
    return file;
  }

  /** Heartbeats of a worker that computes by other semantics. */
  async function announceLaterVersion() {
    const link = await createNatsConnection({ url: nats.url, name: 'stranger' });
    const roster = createMembership({ link, log: 'refusing', clock: systemClock });
    roster.announce(() => ({
      ...{ id: 'z', process: 'z', startedAtMs: 0, version: '99.0.0', semanticsVersion: 99 },
      ...{ draining: false, owns: [], follows: [], troubles: {} },
    }));
    const stop = async () => {
      await roster.stop();
      await link.close();
    };
    undo.push(stop);
    return { stop };
  }

  function workerOf(name: string, config: string): Instance {
    const instance = new Instance('--join', nats.url, '--config', config, '--name', name);
    undo.push(() => instance.dispose());
    return instance;
  }

  async function status(instance: Instance): Promise<Status> {
    const { stdout } = await instance.command('cluster', 'status', '--json');
    return JSON.parse(stdout) as Status;
  }

  const owned = async (instance: Instance): Promise<Record<string, number>> =>
    Object.fromEntries((await status(instance)).members.map(({ id, owns }) => [id, owns.length]));

  async function send(instance: Instance, from: number, to: number): Promise<void> {
    const file = join(folder, 'events.ndjson');
    const lines = Array.from({ length: to - from }, (_, index) => {
      const device = `d${(from + index) % 40}`;
      return JSON.stringify({ device, id: `e${from + index}`, temperature: index % 50 });
    });
    writeFileSync(file, lines.join('\n'));
    const names = ['--channel', 'climate', '--device-column', 'device', '--id', 'id'];
    const sent = await instance.command('ingest', file, '--restart', ...names, '--json');
    expect(sent.code, sent.stderr + sent.stdout).to.equal(0);
  }

  it('share its partitions, and one that is killed loses nothing', async () => {
    const config = configFile('shared');
    const [a, b] = [workerOf('a', config), workerOf('b', config)];
    await Promise.all([a.start(), b.start()]);
    await a.until('both own two', async () => {
      const { a: ofA, b: ofB } = await owned(a);
      return ofA === 2 && ofB === 2;
    });
    await send(a, 0, EVENTS);
    await b.kill();
    await send(a, EVENTS, 2 * EVENTS);
    await a.until('a owns all', async () => (await owned(a))['a'] === 4);
    await a.until('every event has its row', async () => {
      const [row] = await a.rows<{ n: string }>('SELECT count() AS n FROM v_climate');
      return Number(row?.n) === 2 * EVENTS;
    });
    const ledger = await a.command('ledger', '--json', '--summary');
    expect(JSON.parse(ledger.stdout)).to.include({ recordsIn: 2 * EVENTS, balanced: true });
  });

  it('move their partitions when one is drained, and when one is told to', async () => {
    const config = configFile('moved');
    const [a, b] = [workerOf('a', config), workerOf('b', config)];
    await Promise.all([a.start(), b.start()]);
    await a.until('both own two', async () => {
      const { a: ofA, b: ofB } = await owned(a);
      return ofA === 2 && ofB === 2;
    });
    const drained = await a.command('cluster', 'drain', 'b');
    expect(drained.code, drained.stderr).to.equal(0);
    expect(await owned(a)).to.deep.include({ a: 4, b: 0 });
    await a.command('cluster', 'drain', 'b', '--undo');
    const moved = await a.command('cluster', 'move', '3', 'b');
    expect(moved.code, moved.stderr).to.equal(0);
    expect((await status(a)).partitions[3]).to.include({ owner: 'b', alive: true });
    const wrong = await a.command('cluster', 'move', '4', 'b');
    expect(wrong.code).to.equal(2);
    expect(wrong.stderr).to.include('expected one of 0 to 3');
  });

  it('refuse one that does not fit, with what to do, before anything is touched', async () => {
    const config = configFile('refusing');
    const a = workerOf('a', config);
    await a.start();
    const up = (...args: string[]) =>
      millrace('up', '--join', nats.url, '--data-dir', join(folder, 'other'), ...args);

    const namesake = await up('--config', config, '--name', 'a');
    expect(namesake.code).to.equal(1);
    expect(namesake.stderr).to.include('MEMBER_NAME_TAKEN').and.include('--name');

    const other = await up('--config', configFile('refusing', '[2m]'), '--name', 'b');
    expect(other.code).to.equal(1);
    expect(other.stderr).to.include('CLUSTER_MISMATCH').and.include('--apply').and.include('2m');

    const stranger = await announceLaterVersion();
    const older = await up('--config', config, '--name', 'b');
    await stranger.stop();
    expect(older.code).to.equal(1);
    expect(older.stderr).to.include('CLUSTER_MISMATCH').and.include('semantics 99');

    // Whoever runs says and counts what it heard of them.
    await a.until('they are counted', async () => (a.troubles['CLUSTER_MISMATCH'] ?? 0) >= 2);
    expect(a.troubles['MEMBER_NAME_TAKEN']).to.be.at.least(1);
    expect(a.stderr).to.include('a worker that calls itself b was refused');

    const alone = join(folder, 'alone.yaml');
    writeFileSync(alone, 'log: { id: refusing, partitions: 4 }\n');
    const rowless = await up('--config', alone, '--name', 'b');
    expect(rowless.code).to.equal(2);
    expect(rowless.stderr).to.include('clickhouse.url');

    const unshared = join(folder, 'unshared.yaml');
    const text = readFileSync(config, 'utf8');
    writeFileSync(unshared, text.replace('interval: 1s', 'interval: 1s, store: folder'));
    const apart = await up('--config', unshared, '--name', 'b');
    expect(apart.code).to.equal(2);
    expect(apart.stderr).to.include('checkpoint.store');

    const badName = await up('--config', config, '--name', 'a b');
    expect(badName.code).to.equal(2);
  });
});
