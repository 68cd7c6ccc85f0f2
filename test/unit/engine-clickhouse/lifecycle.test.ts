/** Start, stop, death and what survives it. */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { siblingModule } from '../../../src/base/sibling.ts';
import {
  type ClickHouseAddress,
  type ClickHouseEngine,
  createClickHouseEngine,
} from '../../../src/engine/clickhouse/engine.ts';
import { isOperatingError } from '../../../src/model/error.ts';
import { ask, USERS } from './endpoint.ts';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function ended(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the life of the embedded ClickHouse', () => {
  let dataDir: string;
  let engines: ClickHouseEngine[];
  let pids: number[];

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'millrace-life-'));
    engines = [];
    pids = [];
  });
  afterEach(async () => {
    for (const engine of engines) await engine.stop(2000);
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  });

  function create(options: object = {}): ClickHouseEngine {
    const engine = createClickHouseEngine({ dataDir, port: 'auto', users: USERS, ...options });
    engines.push(engine);
    return engine;
  }

  async function query(address: ClickHouseAddress, body: string): Promise<string> {
    const answer = await ask(address, { body });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.text;
  }

  it('stops with its connections closed, leaves no process, and finds its data again', async () => {
    const engine = create();
    const first = await engine.start();
    expect(first).to.include({ user: USERS.admin.name, readOnlyUser: USERS.readOnly.name });
    await query(first, 'CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a');
    await query(first, 'INSERT INTO t VALUES (1)');
    await engine.stop();
    expect(isAlive(first.pid)).to.equal(false);
    expect(engine.findAddress()).to.equal(null);
    const second = await engine.start();
    expect(second.port).to.equal(first.port);
    expect(await query(second, 'SELECT * FROM t')).to.equal('1\n');
    expect(readFileSync(join(dataDir, 'engine.log'), 'utf8')).to.equal('');
  });

  it('stops while long queries run', async () => {
    const engine = create();
    const address = await engine.start();
    const sql = 'SELECT sum(sipHash64(number)) FROM numbers(1000000000000)';
    const running = [1, 2, 3].map(() => ask(address, { body: sql }).catch(() => undefined));
    while (!/[3-9]/.test(await query(address, 'SELECT count() - 1 FROM system.processes')));
    await engine.stop();
    await Promise.all(running);
    expect(isAlive(address.pid)).to.equal(false);
  });

  it('restarts on the same port when it is killed, with every acknowledged row', async () => {
    let restarted: (address: ClickHouseAddress) => void = () => {};
    const again = new Promise<ClickHouseAddress>((resolve) => {
      restarted = resolve;
    });
    const engine = create({ onRestarted: (address: ClickHouseAddress) => restarted(address) });
    const first = await engine.start();
    await query(first, 'CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a');
    let acknowledged = 0;
    let next = 0;
    const insertUntilDead = async (): Promise<void> => {
      for (;;) {
        const from = next;
        next += 1000;
        const sql = `INSERT INTO t SELECT number + ${from} FROM numbers(1000)`;
        await query(first, sql);
        acknowledged += 1000;
        if (acknowledged === 20_000) process.kill(first.pid, 'SIGKILL');
      }
    };
    const results = await Promise.allSettled([insertUntilDead(), insertUntilDead()]);
    expect(results.map((result) => result.status)).to.deep.equal(['rejected', 'rejected']);
    const second = await again;
    expect(second.port).to.equal(first.port);
    expect(second.pid).to.not.equal(first.pid);
    const [count, distinct] = (await query(second, 'SELECT count(), uniqExact(a) FROM t'))
      .trim()
      .split('\t')
      .map(Number) as [number, number];
    expect(count).to.equal(distinct);
    expect(count).to.be.within(acknowledged, acknowledged + 2000);
  });

  it('restarts when it is killed, also when nobody wants to be told', async () => {
    const engine = create();
    const first = await engine.start();
    process.kill(first.pid, 'SIGKILL');
    let second: ClickHouseAddress | null = null;
    while (second === null || second.pid === first.pid) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      second = engine.findAddress();
    }
    expect(await query(second, 'SELECT 1')).to.equal('1\n');
  });

  it('is given up after dying again and again', async () => {
    const failed = new Promise<Error>((resolve) => {
      create({
        onFailed: resolve,
        onRestarted: (a: ClickHouseAddress) => process.kill(a.pid, 'SIGKILL'),
      })
        .start()
        .then((address) => process.kill(address.pid, 'SIGKILL'));
    });
    const error = await failed;
    expect(isOperatingError(error, 'CLICKHOUSE_FAILED')).to.equal(true);
    expect(error.message).to.contain('engine.log');
  });

  it('says so when the port is taken', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as { port: number };
    const error = await create({ port })
      .start()
      .catch((e) => e);
    other.close();
    expect(isOperatingError(error, 'PORT_BUSY')).to.equal(true);
    expect(error.message).to.contain(String(port));
  });

  it('says so when another process holds the data folder', async () => {
    await create().start();
    const error = await create()
      .start()
      .catch((e) => e);
    expect(isOperatingError(error, 'CLICKHOUSE_FAILED')).to.equal(true);
    expect(error.message)
      .to.contain(dataDir)
      .and.match(/another process holds/i);
  });

  it('ends by itself when its parent is killed, and the next start takes over', async () => {
    const module = fileURLToPath(siblingModule(import.meta.url, './owner'));
    const owner: ChildProcess = fork(module, [dataDir], {
      execArgv: module.endsWith('.ts') ? ['--import', 'tsx'] : [],
    });
    pids.push(owner.pid!);
    const address = await new Promise<ClickHouseAddress>((resolve) =>
      owner.once('message', (message) => resolve(message as ClickHouseAddress)),
    );
    pids.push(address.pid);
    await query(address, 'CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a');
    await query(address, 'INSERT INTO t VALUES (7)');
    owner.kill('SIGKILL');
    // At once, on the same port and folder: the leftover has to go first.
    const next = await create({ port: address.port }).start();
    await ended(address.pid);
    expect(await query(next, 'SELECT * FROM t')).to.equal('7\n');
  });
});
