import { spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { isAlive } from '../../../src/base/process.ts';
import { siblingModule } from '../../../src/base/sibling.ts';
import { isOperatingError, type OperatingError } from '../../../src/model/error.ts';
import * as fixture from './fixture.ts';

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

describe('the embedded nats-server', function () {
  this.timeout(60_000);
  afterEach(() => fixture.cleanUp());

  it('serves JetStream to its user on free ports and stops without a trace', async () => {
    const folder = fixture.temporaryFolder();
    const { engine } = await fixture.makeEngine({ folder });
    const address = await engine.start();
    const nc = await connect({ servers: address.url, user: address.user, pass: address.password });
    const account = await (await jetstreamManager(nc)).getAccountInfo();
    await nc.close();
    expect(account.limits.max_storage).to.equal(-1);
    expect(new URL(address.websocketUrl).hostname).to.equal('127.0.0.1');
    expect((await fetch(`${address.monitorUrl}/healthz`)).ok).to.equal(true);
    await engine.stop();
    expect(isAlive(address.pid)).to.equal(false);
    expect(engine.address).to.equal(null);
    expect(existsSync(join(folder, 'nats-server.pid'))).to.equal(false);
    expect(existsSync(join(folder, 'owner.json'))).to.equal(false);
  });

  it('keeps password and messages over a restart, readable by their owner only', async () => {
    const folder = fixture.temporaryFolder();
    const first = await fixture.makeEngine({ folder });
    const before = await first.engine.start();
    const nc = await connect({ servers: before.url, user: before.user, pass: before.password });
    const jsm = await jetstreamManager(nc);
    await jsm.streams.add({ name: 'KEPT', subjects: ['kept'] });
    await nc.request('kept', 'hello');
    await nc.close();
    await first.engine.stop();
    const second = await fixture.makeEngine({ folder });
    const after = await second.engine.start();
    expect(after.password).to.equal(before.password);
    const again = await connect({ servers: after.url, user: after.user, pass: after.password });
    const stream = await (await jetstreamManager(again)).streams.info('KEPT');
    await again.close();
    expect(stream.state.messages).to.equal(1);
    for (const name of ['password', 'nats-server.conf']) {
      expect(statSync(join(folder, name)).mode & 0o077, name).to.equal(0);
    }
  });

  it('comes back on the same ports after kill -9, and clients reconnect', async () => {
    const { engine, lines } = await fixture.makeEngine();
    const before = await engine.start();
    const nc = await connect({
      servers: before.url,
      user: before.user,
      pass: before.password,
      reconnectTimeWait: 50,
      maxReconnectAttempts: -1,
    });
    let isBack = false;
    void (async () => {
      for await (const { type } of nc.status()) isBack ||= type === 'reconnect';
    })();
    process.kill(before.pid, 'SIGKILL');
    await fixture.until(
      () => engine.address !== null && engine.address.pid !== before.pid,
      'another process runs',
    );
    await fixture.until(() => lines.some((line) => /runs again/.test(line)), 'it is ready');
    expect(engine.address).to.deep.equal({ ...before, pid: engine.address!.pid });
    await fixture.until(() => isBack, 'the client is back');
    await nc.flush();
    await nc.close();
    expect(lines[0]).to.match(/was ended by SIGKILL; starting it again in 100 ms \(try 1\/8\)/);
  });

  it('gives up after a bounded number of deaths and says so once', async () => {
    const failures: OperatingError[] = [];
    const folder = fixture.temporaryFolder();
    const { engine, lines } = await fixture.makeEngine({
      folder,
      clock: { ...systemClock, wait: () => Promise.resolve() },
      onFailed: (error) => failures.push(error),
    });
    const address = await engine.start();
    writeFileSync(join(folder, 'nats-server.conf'), 'listen: "nonsense\n');
    process.kill(address.pid, 'SIGKILL');
    await fixture.until(() => failures.length > 0, 'onFailed is called');
    expect(failures.map(({ code }) => code)).to.deep.equal(['NATS_SERVER_FAILED']);
    expect(failures[0]!.message).to.include(join(folder, 'nats-server.log'));
    expect(lines.filter((line) => /starting it again/.test(line))).to.have.length(8);
    expect(engine.address).to.equal(null);
  });

  it('names the busy port and its setting before it starts anything', async () => {
    const other = createServer();
    await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
    fixture.undoLater(() => new Promise<void>((done) => void other.close(() => done())));
    const port = (other.address() as { port: number }).port;
    for (const setting of ['port', 'monitorPort', 'websocketPort'] as const) {
      const folder = fixture.temporaryFolder();
      const { engine } = await fixture.makeEngine({ folder, [setting]: port });
      const error = await caught(engine.start());
      expect(isOperatingError(error, 'PORT_BUSY'), String(error)).to.equal(true);
      await engine.stop();
      expect((error as Error).message)
        .to.include(`${port}`)
        .and.include(`nats.${setting}`);
      expect(existsSync(join(folder, 'owner.json'))).to.equal(false);
    }
  });

  it('shows the server’s own words when it cannot start', async () => {
    const folder = fixture.temporaryFolder();
    writeFileSync(join(folder, 'store'), 'a file where the store folder should be');
    const blocked = await fixture.makeEngine({ folder });
    expect(await caught(blocked.engine.start())).to.match(/EEXIST/);
    const missing = await fixture.makeEngine({ binary: '/nowhere/nats-server' });
    const error = await caught(missing.engine.start());
    expect(isOperatingError(error, 'NATS_SERVER_FAILED'), String(error)).to.equal(true);
  });

  it('may be stopped while it starts', async () => {
    const folder = fixture.temporaryFolder();
    const { engine } = await fixture.makeEngine({ folder });
    const starting = caught(engine.start());
    await fixture.until(() => engine.address !== null, 'a process is there');
    const { pid } = engine.address!;
    await engine.stop();
    await starting;
    expect(isAlive(pid)).to.equal(false);
  });

  describe('after its Millrace was killed', () => {
    const startOther = async (folder: string, searchPath: string) => {
      const script = siblingModule(import.meta.url, './owner');
      const options = JSON.stringify({
        folder,
        searchPath,
        binary: await fixture.natsServerPath(),
      });
      const owner = spawn(process.execPath, [...process.execArgv, script.pathname, options], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      fixture.endLater(owner.pid!);
      const serverPid = await new Promise<number>((resolve) =>
        owner.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString()))),
      );
      fixture.endLater(serverPid);
      return { owner, serverPid };
    };

    it('is ended by the kernel where setpriv is there', async function () {
      if (process.platform !== 'linux') return this.skip();
      const { owner, serverPid } = await startOther(fixture.temporaryFolder(), '/usr/bin:/bin');
      owner.kill('SIGKILL');
      await fixture.until(() => !isAlive(serverPid), 'the server is gone too');
    });

    it('is ended by the next start where it is left over', async function () {
      if (process.platform !== 'linux') return this.skip();
      const folder = fixture.temporaryFolder();
      const { owner, serverPid } = await startOther(folder, '');
      owner.kill('SIGKILL');
      await fixture.until(() => !isAlive(owner.pid!), 'the owner is gone');
      expect(isAlive(serverPid)).to.equal(true);
      const { engine, lines } = await fixture.makeEngine({ folder });
      const address = await engine.start();
      expect(isAlive(serverPid)).to.equal(false);
      expect(address.pid).not.to.equal(serverPid);
      expect(lines.join()).to.include(`ending process ${serverPid}`);
    });

    it('is left alone while its Millrace lives', async function () {
      if (process.platform !== 'linux') return this.skip();
      const folder = fixture.temporaryFolder();
      const { owner, serverPid } = await startOther(folder, '');
      const { engine } = await fixture.makeEngine({ folder });
      const error = await caught(engine.start());
      expect(isOperatingError(error, 'ALREADY_RUNNING'), String(error)).to.equal(true);
      expect((error as Error).message).to.include(`${owner.pid}`);
      await engine.stop();
      expect(isAlive(serverPid)).to.equal(true);
      expect(existsSync(join(folder, 'owner.json'))).to.equal(true);
    });

    it('a process with the same id that is none of ours is left alone', async function () {
      if (process.platform !== 'linux') return this.skip();
      const folder = fixture.temporaryFolder();
      const bystander = spawn('sleep', ['60'], { stdio: 'ignore' });
      fixture.endLater(bystander.pid!);
      writeFileSync(join(folder, 'nats-server.pid'), `${bystander.pid}`);
      const { engine } = await fixture.makeEngine({ folder });
      const address = await engine.start();
      expect(isAlive(bystander.pid!)).to.equal(true);
      expect(readFileSync(join(folder, 'nats-server.pid'), 'utf8').trim()).to.equal(
        `${address.pid}`,
      );
    });
  });
});
