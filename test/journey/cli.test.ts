import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { exampleFile } from '../../src/config/demo.ts';
import {
  type CommandResult,
  descendants,
  Instance,
  launch,
  millrace,
} from '../support/instance.ts';

/** Of Ctrl-C, until nothing is left; a loaded machine may need a little longer than the product. */
const STOP_MS_MAX = 10_000;
const EXIT = { done: 0, trouble: 1, usage: 2, notRunning: 3, checkFailed: 4 };

const CSV = [
  'timestamp,value,sensor',
  '2013-12-02 21:15:00,73.96732207,a',
  '2013-12-02 21:20:00,74.93588199999998,b',
  '2013-12-02 21:25:00,hot,a',
  'yesterday,1,b',
  '2013-12-02 21:30:00,32,a b',
  '2013-12-02 21:35:00,32,b',
  '',
].join('\n');

const json = <T>({ stdout }: CommandResult): T => JSON.parse(stdout) as T;
const lines = <T>({ stdout }: CommandResult): T[] =>
  stdout
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
const errorOf = ({ stderr }: CommandResult) =>
  (JSON.parse(stderr.trim().split('\n').at(-1)!) as { error: { code: string; message: string } })
    .error;

describe('the command line', function () {
  this.timeout(240_000);
  const instance = new Instance('--config', exampleFile('trucks'));
  const folder = mkdtempSync(join(tmpdir(), 'millrace-cli-'));
  const csv = join(folder, 'boiler.csv');

  before(async () => {
    writeFileSync(csv, CSV);
    await instance.start();
  });
  after(async () => {
    await instance.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  describe('ingest', () => {
    const args = ['ingest', csv, '--channel', 'boiler', '--device-column', 'sensor'];
    const declare = ['--metric', 'temperature=value', '--unit', 'temperature=[degF]>Cel'];

    interface Ingested {
      readonly declared: string[] | null;
      readonly visible: boolean;
      readonly files: { rows: number; already: number; acknowledged: number; refused: number }[];
      readonly log: Record<string, number>;
    }

    it('declares a channel for the file, stores good rows, refuses wrong ids', async () => {
      const result = await instance.command(...args, ...declare, '--historical', '--json');
      expect(result.code, result.stderr).to.equal(EXIT.checkFailed);
      const { declared, visible, files, log } = json<Ingested>(result);
      expect(declared?.[0]).to.equal('metric temperature from "value", [degF] stored as Cel');
      expect(visible).to.equal(true);
      expect(files[0]).to.include({ rows: 6, already: 0, acknowledged: 5, refused: 1 });
      expect(log).to.include({ recordsIn: 5, stored: 3, rejected: 2 });
    });

    it('sends nothing twice, and stores nothing twice when told to send again', async () => {
      const again = json<Ingested>(await instance.command(...args, '--json'));
      expect(again.files[0]).to.include({ rows: 6, already: 6, acknowledged: 0 });
      const restarted = await instance.command(...args, '--restart', '--json');
      expect(json<Ingested>(restarted).log).to.include({ recordsIn: 5, stored: 0, duplicate: 3 });
    });

    it('says what to change when a channel is not historical', async () => {
      const wrong = ['ingest', csv, '--channel', 'recent', '--device', 'd', ...declare];
      const first = await instance.command(...wrong, '--no-wait', '--json');
      expect(first.code, first.stderr).to.equal(EXIT.done);
      const second = await instance.command(...wrong, '--historical', '--json');
      expect(second.code).to.equal(EXIT.usage);
      expect(errorOf(second).message).to.contain('`historical: true`');
    });

    it('goes on after Ctrl-C from the row where it stood', async () => {
      const file = join(folder, 'long.csv');
      const count = 2000;
      const rows = Array.from({ length: count }, (_, index) => `${1.4e9 + index},${index}`);
      writeFileSync(file, `time,v\n${rows.join('\n')}\n`);
      const long = ['ingest', file, '--channel', 'long', '--historical', '--json'];
      const cursorsBefore = cursorsOf(instance);
      const sending = launch(...long, '--rate', '200', '--data-dir', instance.folder);
      await instance.until('a cursor is saved', async () => cursorsOf(instance) > cursorsBefore);
      sending.child.kill('SIGINT');
      const cut = await sending.result;
      expect(cut.code, cut.stderr).to.equal(130);
      const before = json<Ingested & { interrupted: boolean }>(cut);
      expect(before.interrupted).to.equal(true);
      const { acknowledged } = before.files[0]!;
      expect(acknowledged).to.be.within(1, count - 1);
      const after = json<Ingested>(await instance.command(...long));
      expect(after.files[0]).to.include({
        already: acknowledged,
        acknowledged: count - acknowledged,
      });
      const stored = await instance.rows<{ c: number; s: number }>(
        'SELECT toUInt32(count()) AS c, sum(v) AS s FROM v_long',
      );
      expect(stored).to.deep.equal([{ c: count, s: ((count - 1) * count) / 2 }]);
    });
  });

  describe('sim', () => {
    interface Simulated {
      readonly acknowledged: number;
      readonly truth: string;
    }

    for (const how of [[], ['--native']]) {
      it(`${how[0] ?? 'batches'}: what was acknowledged is in the truth and stored`, async () => {
        const args = ['sim', '--trucks', '10', '--events', '400', '--no-disorder', '--json'];
        const seed = `${how.length + 1}`;
        const result = await instance.command(...args, '--seed', seed, ...how);
        expect(result.code, result.stderr).to.equal(EXIT.done);
        const { acknowledged, truth } = json<Simulated>(result);
        const events = readFileSync(truth, 'utf8').trim().split('\n');
        expect([acknowledged, events.length]).to.deep.equal([400, 400]);
        const wanted = 400 * Number(seed);
        await instance.until('all simulated rows can be seen', async () => {
          const sql =
            'SELECT toUInt32(count()) AS c FROM ' +
            '(SELECT device FROM v_truck UNION ALL SELECT device FROM v_diagnostics)';
          const [row] = await instance.rows<{ c: number }>(sql);
          return row?.c === wanted;
        });
      });
    }
  });

  describe('query', () => {
    const SQL = 'SELECT device, temperature FROM v_boiler ORDER BY event_time';

    it('answers in any format, by argument and from standard input', async () => {
      const tsv = await instance.command('query', `${SQL} LIMIT 1`);
      expect(tsv.stdout).to.match(/^device\ttemperature\na\t23\.31517/);
      const rows = lines<{ device: string }>(await instance.command('query', SQL, '--json'));
      expect(rows.map(({ device }) => device)).to.deep.equal(['a', 'b', 'b']);
      const csvText = await instance.command('query', SQL, '--format', 'CSV');
      expect(csvText.stdout).to.match(/^"a",23/);
      const piped = launch('query', '-', '--json', '--data-dir', instance.folder);
      piped.child.stdin?.end('SELECT 1 AS one');
      expect(lines(await piped.result)).to.deep.equal([{ one: 1 }]);
    });

    it('cannot write, not even as the owner of the tables', async () => {
      for (const who of [[], ['--admin']]) {
        const result = await instance.command('query', 'DROP TABLE ledger', ...who, '--json');
        expect(result.code).to.equal(EXIT.trouble);
        expect(errorOf(result).code).to.equal('CLICKHOUSE_REFUSED');
      }
      expect((await instance.rows('SELECT 1 FROM ledger LIMIT 1')).length).to.equal(1);
    });
  });

  describe('dead letters', () => {
    interface Letter {
      readonly reason: string;
      readonly partition: number;
      readonly sequence: string;
      readonly index: number;
    }

    it('are listed, filtered, and shown with the very bytes that were sent', async () => {
      const found = lines<Letter>(
        await instance.command(
          'dlq',
          'ls',
          '--channel',
          'boiler',
          '--reason',
          'time_malformed',
          '--json',
        ),
      );
      expect(found.length).to.be.greaterThan(0);
      const { partition, sequence, index } = found[0]!;
      const position = [`${partition}`, sequence, `${index}`];
      const raw = await instance.command('dlq', 'show', ...position, '--raw');
      expect(raw.stdout).to.equal('{"timestamp":"yesterday","value":1,"sensor":"b"}');
      const shown = await instance.command('dlq', 'show', ...position);
      expect(shown.stdout).to.contain('TIME_MALFORMED').and.to.contain('default/default/b');
    });

    it('say when the log has nothing there', async () => {
      const result = await instance.command('dlq', 'show', '0', '999999', '--json');
      expect(result.code).to.equal(EXIT.usage);
      expect(errorOf(result).message).to.contain('sequence 999999');
    });
  });

  describe('watching', () => {
    it('ledger: balances, in sum, by partition and by block', async () => {
      const summary = await instance.command('ledger', '--summary', '--json');
      expect(summary.code, summary.stderr).to.equal(EXIT.done);
      const sum = json<{ balanced: boolean; recordsIn: number }>(summary);
      for (const how of [[], ['--blocks']]) {
        const result = await instance.command('ledger', ...how, '--json');
        const { rows } = json<{ rows: { recordsIn: number }[] }>(result);
        const recordsIn = rows.reduce((total, row) => total + row.recordsIn, 0);
        expect(recordsIn).to.equal(sum.recordsIn);
      }
      expect((await instance.command('ledger')).stdout).to.contain('the ledger balances');
    });

    it('status: every partition has an owner and catches up', async () => {
      await instance.until('nothing is behind', async () => {
        const result = await instance.command('status', '--json');
        const { partitions } = json<{ partitions: { isOwned: boolean; behind: string }[] }>(result);
        return partitions.every(({ isOwned, behind }) => isOwned && behind === '0');
      });
    });

    it('tail: shows decoded facts, and explains why iot.> shows nothing', async () => {
      const tailed = instance.command('tail', 'log.>', '--count', '1', '--json');
      const sending = new AbortController();
      const sent = (async () => {
        for (let seed = 50; !sending.signal.aborted; seed += 1) {
          const args = [
            'sim',
            '--trucks',
            '2',
            '--events',
            '4',
            '--seed',
            `${seed}`,
            '--no-disorder',
          ];
          await instance.command(...args);
        }
      })();
      const result = await tailed;
      sending.abort();
      await sent;
      expect(result.code, result.stderr).to.equal(EXIT.done);
      expect(lines<{ subject: string }>(result)[0]?.subject).to.match(/^log\.main\.\d+\./);
      const mapped = await instance.command('tail', 'iot.>', '--json');
      expect(mapped.code).to.equal(EXIT.usage);
      expect(errorOf(mapped).message).to.contain("tail 'log.>'");
    });

    it('doctor: finds the running instance well', async () => {
      const result = await instance.command('doctor', '--json');
      expect(result.code, result.stdout).to.equal(EXIT.done);
      const { findings } = json<{ findings: { check: string; grade: string }[] }>(result);
      const checks = findings.map(({ check }) => check);
      expect(checks).to.include.members(['NATS', 'ClickHouse', 'kernel simd', 'nats-server']);
    });

    it('lint: prices a configuration and says what a restart would change', async () => {
      const result = await instance.command('lint', exampleFile('trucks'), '--json');
      const { ok, price, changes } = json<{
        ok: boolean;
        price: { bytesPerDevice: number };
        changes: string[];
      }>(result);
      expect([ok, changes]).to.deep.equal([true, []]);
      expect(price.bytesPerDevice).to.be.greaterThan(1000);
      const nab = json<{ changes: string[] }>(
        await instance.command('lint', exampleFile('nab'), '--json'),
      );
      expect(nab.changes).to.include('+ channel speed');
    });
  });

  describe('one instance and another', () => {
    it('refuses a second one on the same folder', async () => {
      const result = await instance.command('up', '--ports', 'auto', '--json');
      expect(result.code).to.equal(EXIT.trouble);
      expect(errorOf(result).code).to.equal('ALREADY_RUNNING');
    });

    it(
      'runs a second one side by side, and ends it within 10 s of Ctrl-C with nothing ' + 'left',
      async () => {
        const other = new Instance('--demo');
        try {
          await other.start();
          await other.until('the demo moves', async () => {
            const [row] = await other.rows<{ c: string }>('SELECT count() AS c FROM v_truck');
            return Number(row?.c) > 0;
          });
          const pids = [other.pid, ...descendants(other.pid)];
          expect(pids.length).to.be.greaterThan(2);
          const startedMs = systemClock.monotonicMs();
          expect(await other.stop()).to.equal(EXIT.done);
          expect(systemClock.monotonicMs() - startedMs).to.be.lessThan(STOP_MS_MAX);
          expect(pids.filter(isThere)).to.deep.equal([]);
          expect(existsSync(join(other.folder, 'run.json'))).to.equal(false);
          const gone = await other.command('ledger', '--json');
          expect([gone.code, errorOf(gone).code]).to.deep.equal([EXIT.notRunning, 'NOT_RUNNING']);
        } finally {
          await other.dispose();
        }
      },
    );

    it('says which port is busy, and leaves nothing behind', async () => {
      const servers = await Promise.all(Array.from({ length: 4 }, listen));
      const [port, ...free] = servers.map((each) => (each.address() as { port: number }).port);
      const [busy, ...others] = servers;
      for (const server of others) await close(server);
      const data = join(folder, 'busy');
      const config = join(folder, 'busy.yaml');
      const nats = `{ port: ${free[0]}, websocketPort: ${free[1]}, monitorPort: ${free[2]} }`;
      writeFileSync(config, `nats: ${nats}\nclickhouse: { port: ${port} }\n`);
      try {
        const result = await millrace('up', '--config', config, '--data-dir', data, '--json');
        expect(result.code).to.equal(EXIT.trouble);
        const { code, message } = errorOf(result);
        expect(code).to.equal('PORT_BUSY');
        expect(message).to.contain(`${port}`);
      } finally {
        await close(busy!);
      }
    });
  });

  describe('the engines', () => {
    it('may be killed under an ingest: it goes on, and every row is stored once', async () => {
      const file = join(folder, 'outage.csv');
      const count = 3000;
      const rows = Array.from({ length: count }, (_, index) => `${1.5e9 + index},${index}`);
      writeFileSync(file, `time,v\n${rows.join('\n')}\n`);
      const args = ['ingest', file, '--channel', 'outage', '--historical', '--rate', '300'];
      const before = cursorsOf(instance);
      const sending = launch(...args, '--json', '--data-dir', instance.folder);
      await instance.until('it has begun', async () => cursorsOf(instance) > before);
      for (const name of ['nats/nats-server.pid', 'clickhouse/engine.pid']) {
        process.kill(pidIn(join(instance.folder, name)), 'SIGKILL');
      }
      const result = await sending.result;
      expect(result.code, result.stderr).to.equal(EXIT.done);
      const { files, visible } = json<{ files: object[]; visible: boolean }>(result);
      expect(visible).to.equal(true);
      expect(files[0]).to.include({ acknowledged: count, refused: 0, stored: count });
    });
  });

  describe('the end', () => {
    it('reset refuses while it runs, and a folder that is not ours', async () => {
      const running = await instance.command('reset', '--yes', '--json');
      expect(errorOf(running).code).to.equal('ALREADY_RUNNING');
      const other = await millrace('reset', '--yes', '--json', '--data-dir', folder);
      expect([other.code, errorOf(other).code]).to.deep.equal([EXIT.usage, 'INPUT_INVALID']);
      expect(existsSync(csv)).to.equal(true);
    });

    it('stop waits until everything is gone; reset then deletes what is ours', async () => {
      const pids = [instance.pid, ...descendants(instance.pid)];
      const result = await instance.command('stop', '--json');
      expect(json<{ stopped: boolean }>(result).stopped).to.equal(true);
      expect(pids.filter(isThere)).to.deep.equal([]);
      writeFileSync(join(instance.folder, 'mine.txt'), 'x');
      expect((await instance.command('reset', '--json')).code).to.equal(EXIT.usage);
      expect((await instance.command('reset', '--yes')).code).to.equal(EXIT.done);
      expect(existsSync(join(instance.folder, 'nats'))).to.equal(false);
      expect(existsSync(join(instance.folder, 'mine.txt'))).to.equal(true);
    });
  });
});

/** Files whose ingest has come so far that a cursor was saved. */
function cursorsOf({ folder }: Instance): number {
  const path = join(folder, 'ingest');
  return existsSync(path) ? readdirSync(path).length : 0;
}

function pidIn(file: string): number {
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
  expect(pid).to.be.greaterThan(1);
  return pid;
}

function isThere(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

function listen(): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

const close = (server: Server): Promise<unknown> => new Promise((done) => server.close(done));
