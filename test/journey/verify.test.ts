/**
 * The audit that a user runs: `millrace verify` against an instance that was killed hard, and
 * against rows that somebody changed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { exampleFile } from '../../src/config/index.ts';
import { createLogPurger, createNatsConnection } from '../../src/log/index.ts';
import { Instance, launch } from '../support/instance.ts';

const EVENTS = 6_000;

interface Verdict {
  readonly partition: number;
  readonly equal: boolean;
  readonly records: number;
  readonly rowsEqual: number;
  readonly rowsWrong: number;
  readonly states: readonly { readonly stored: string; readonly computed: string }[];
  readonly from: string;
  readonly unverifiable: readonly { readonly from: string; readonly to: string }[];
  readonly tables: readonly {
    readonly table: string;
    readonly equal: number;
    readonly missing: number;
    readonly extra: number;
    readonly differs: number;
    readonly movedOn: number;
    readonly shown: readonly {
      readonly verdict: string;
      readonly key: Readonly<Record<string, string>>;
      readonly columns: readonly { readonly column: string }[];
    }[];
  }[];
  readonly books: {
    readonly blocks: number;
    readonly records: number;
    readonly errors: readonly { readonly what: string }[];
  };
}

describe('millrace verify', function () {
  this.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-verify-'));
  let instance: Instance;
  let changed = -1; // the partition whose rows somebody changed

  before(async () => {
    const config = join(folder, 'millrace.yaml');
    const trucks = readFileSync(exampleFile('trucks'), 'utf8');
    writeFileSync(config, `${trucks}\nlog: { partitions: 2 }\ncheckpoint: { interval: 1s }\n`);
    instance = new Instance('--config', config);
    await instance.start();
    const sending = launch(
      ...['sim', '--trucks', '40', '--events', `${EVENTS}`, '--rate', '3000'],
      ...['--data-dir', instance.folder],
    );
    await instance.until('a checkpoint and rows behind it', async () => {
      const [{ n }] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_truck');
      return Number(n) > 1_000;
    });
    await instance.kill();
    await sending.result; // it was cut off, or it was done
    await instance.start();
    await send(2);
  });
  after(async () => {
    await instance?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  async function send(seed: number): Promise<void> {
    const args = ['sim', '--trucks', '40', '--events', `${EVENTS}`, '--seed', `${seed}`];
    const { code, stderr } = await instance.command(...args);
    expect(code, stderr).to.equal(0);
  }

  async function verify(...more: string[]) {
    const { code, stdout, stderr } = await instance.command('verify', '--json', ...more);
    const lines = stdout.split('\n').filter((line) => line !== '');
    return { code, stderr, verdicts: lines.map((line) => JSON.parse(line) as Verdict) };
  }

  const tableOf = (verdict: Verdict, name: string) =>
    verdict.tables.find(({ table }) => table === name)!;

  it('finds state, rows and books equal after a kill -9', async () => {
    const { code, verdicts, stderr } = await verify('--all');
    expect(
      verdicts.map(({ partition }) => partition),
      stderr,
    ).to.deep.equal([0, 1]);
    for (const verdict of verdicts) {
      expect(verdict, JSON.stringify(verdict, null, 1)).to.include({ equal: true, rowsWrong: 0 });
      expect(verdict.states).to.not.deep.equal([]); // one per checkpoint kept between both ends
      for (const { computed, stored } of verdict.states) expect(computed).to.equal(stored);
      expect(verdict.unverifiable).to.deep.equal([]);
      expect(tableOf(verdict, 'ch_truck').equal).to.be.greaterThan(500);
      expect(verdict.books).to.deep.include({ blocks: 1, records: verdict.records, errors: [] });
    }
    expect(code).to.equal(0);
    const text = await instance.command('verify', '--partition', '1');
    expect(text.stdout).to.match(/partition 1: [\d,]+ records, [\d,]+ rows equal, state equal\s*$/);
  });

  it('leaves nothing behind', async () => {
    const databases = await instance.rows<{ name: string }>(
      "SELECT name FROM system.databases WHERE name LIKE '%verify%'",
    );
    expect(databases).to.deep.equal([]);
  });

  it('verifies what stands while more comes in', async () => {
    const args = ['--trucks', '40', '--rate', '500', '--seed', '3', '--data-dir', instance.folder];
    const { child, result } = launch('sim', ...args);
    try {
      const { code, verdicts, stderr } = await verify('--partition', '0');
      const [verdict] = verdicts;
      expect(verdict, JSON.stringify(verdict, null, 1) + stderr).to.include({ equal: true });
      expect(tableOf(verdict!, 'ch_truck').equal).to.be.greaterThan(500);
      expect(code).to.equal(0);
    } finally {
      child.kill('SIGINT');
      await result;
    }
  });

  it('names a row of which one bit was changed, one that is gone and one too many', async () => {
    const [row] = await instance.rows<{ device: string; start: string; partition: number }>(
      `SELECT device, toString(window_start) AS start, partition FROM agg_1m FINAL
       WHERE channel = 'truck' AND fragment = 0 ORDER BY device, window_start LIMIT 1`,
    );
    const { device, start, partition } = row!;
    changed = partition;
    await instance.rows(
      `ALTER TABLE agg_1m UPDATE sum = arrayMap((v, i) -> if(i = 2,
         reinterpretAsFloat64(bitXor(reinterpretAsUInt64(v), 1)), v), sum, arrayEnumerate(sum))
       WHERE device = '${device}' AND window_start = toDateTime64('${start}', 3, 'UTC')
         AND channel = 'truck' AND fragment = 0 SETTINGS mutations_sync = 1`,
    );
    const here = `partition = ${partition}`;
    const place = '(device, event_time, sequence, ordinal)';
    const first = `SELECT ${place} FROM ch_truck WHERE ${here} ORDER BY ${place} LIMIT 1`;
    const sample = `${place} IN (${first})`;
    await instance.rows(
      `INSERT INTO alerts SELECT * REPLACE ('unheard' AS device) FROM alerts FINAL
       WHERE ${here} LIMIT 1`,
    );
    await instance.rows(`ALTER TABLE ch_truck DELETE WHERE ${here} AND ${sample}
      SETTINGS mutations_sync = 1`);
    const { code, verdicts, stderr } = await verify('--partition', `${partition}`);
    expect(code, stderr).to.equal(5);
    const [verdict] = verdicts;
    const minutes = tableOf(verdict!, 'agg_1m');
    expect(minutes, JSON.stringify(minutes)).to.include({ missing: 0, extra: 0, differs: 1 });
    expect(minutes.shown[0]).to.deep.include({ verdict: 'differs' });
    expect(minutes.shown[0]!.key).to.include({ device, window_start: start });
    expect(minutes.shown[0]!.columns.map(({ column }) => column)).to.deep.equal(['sum']);
    expect(tableOf(verdict!, 'ch_truck')).to.include({ missing: 1, extra: 0, differs: 0 });
    expect(tableOf(verdict!, 'alerts')).to.include({ missing: 0, extra: 1, differs: 0 });
    expect(tableOf(verdict!, 'agg_1h')).to.include({ missing: 0, extra: 0, differs: 0 });
  });

  it('says what was purged, and begins at the checkpoint', async () => {
    const partition = 1 - changed;
    const { url, user, password } = instance.state.nats;
    const link = await createNatsConnection({ url, user, password, name: 'purge' });
    const purger = createLogPurger({ link, logId: instance.state.log });
    await purger.purge(partition, 10n, systemClock.nowMs());
    await link.close();
    const silent = await verify('--partition', `${partition}`);
    const [verdict] = silent.verdicts;
    expect(verdict, JSON.stringify(verdict) + silent.stderr).to.include({ equal: true });
    const [lost] = verdict!.unverifiable;
    expect(lost).to.include({ from: '1', to: `${BigInt(verdict!.from) - 1n}` });
    expect(BigInt(verdict!.from) >= 10n).to.equal(true);
    expect(silent.code).to.equal(0);
    expect((await verify('--partition', `${partition}`, '--from', '1')).code).to.equal(6);
    const { stdout } = await instance.command('verify', '--partition', `${partition}`);
    expect(stdout).to.include(`not verifiable: 1 …`);
  });

  it('refuses a partition that is not there, and a run without one', async () => {
    for (const args of [['--partition', '2'], []]) {
      const { code, stderr } = await verify(...args);
      expect(code).to.equal(2);
      expect(stderr).to.include('INPUT_INVALID');
    }
  });
});
