/**
 * Replay and repair as a user does them: the log into tables of its own, the difference to rows
 * that were damaged, and the way back, for a whole partition and for one device.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { exampleFile } from '../../src/config/index.ts';
import { Instance } from '../support/instance.ts';

const EVENTS = 4_000;
const DEVICE_ROWS =
  "SELECT count() AS n, groupBitXor(cityHash64(event_time, velocity)) AS v FROM v_truck WHERE device = 'truck_7'";

interface Line {
  readonly partition: number;
  readonly generation: number;
  readonly equal: boolean;
  readonly rowsWrong: number;
  readonly tables: readonly {
    readonly table: string;
    readonly equal: number;
    readonly missing: number;
    readonly extra: number;
    readonly differs: number;
  }[];
}

describe('millrace replay and recompute', function () {
  this.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-replay-'));
  let instance: Instance;

  before(async () => {
    const config = join(folder, 'millrace.yaml');
    const trucks = readFileSync(exampleFile('trucks'), 'utf8');
    writeFileSync(config, `${trucks}\nlog: { partitions: 2 }\ncheckpoint: { interval: 1s }\n`);
    instance = new Instance('--config', config);
    await instance.start();
    await send(1);
  });
  after(async () => {
    await instance?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  async function send(seed: number): Promise<void> {
    const args = ['sim', '--trucks', '20', '--events', `${EVENTS}`, '--seed', `${seed}`];
    const { code, stderr } = await instance.command(...args);
    expect(code, stderr).to.equal(0);
    await instance.until('a checkpoint of all', async () => {
      const { stdout } = await instance.command('status', '--json');
      const { partitions } = JSON.parse(stdout) as {
        partitions: { checkpoint: string; lastSequence: string }[];
      };
      return partitions.every((each) => Number(each.lastSequence) - Number(each.checkpoint) < 4);
    });
  }

  async function run(...args: string[]) {
    const { code, stdout, stderr } = await instance.command(...args, '--json');
    const lines = stdout.split('\n').filter((line) => line !== '');
    return { code, stderr, lines: lines.map((line) => JSON.parse(line) as Line) };
  }

  async function expectEqual(): Promise<void> {
    const { code, lines, stderr } = await run('verify', '--all');
    const told = JSON.stringify(lines, null, 1) + stderr;
    expect(
      lines.map(({ equal, rowsWrong }) => ({ equal, rowsWrong })),
      told,
    ).to.deep.equal([
      { equal: true, rowsWrong: 0 },
      { equal: true, rowsWrong: 0 },
    ]);
    expect(code).to.equal(0);
  }

  /** The partition was handed over, claimed again, and goes on. */
  async function goesOn(generation: number): Promise<void> {
    await instance.until(`generation ${generation}`, async () => {
      const { stdout } = await instance.command('status', '--json');
      const { partitions } = JSON.parse(stdout) as {
        partitions: { generation: number; isOwned: boolean }[];
      };
      return partitions.some((each) => each.generation === generation && each.isOwned);
    });
  }

  const tableOf = (line: Line, name: string) => line.tables.find(({ table }) => table === name)!;
  const damage = async (...statements: string[]) => {
    for (const sql of statements) await instance.rows(`${sql} SETTINGS mutations_sync = 2`);
  };

  it('replays the log beside what is stored, and finds it equal', async () => {
    const { code, lines, stderr } = await run('replay', '--all', '--name', 'whole');
    expect(code, stderr).to.equal(0);
    expect(lines.map(({ partition, generation }) => [partition, generation])).to.deep.equal([
      [0, 2],
      [1, 2],
    ]);
    const [own] = await instance.rows<{ n: string }>(
      'SELECT count() AS n FROM millrace_replay_whole.v_truck',
    );
    const [stored] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_truck');
    expect(Number(own!.n)).to.equal(Number(stored!.n)).and.be.greaterThan(1_000);
    const diff = await run('replay', 'diff', 'whole');
    expect(
      diff.lines.map(({ rowsWrong }) => rowsWrong),
      diff.stderr,
    ).to.deep.equal([0, 0]);
    expect(diff.code).to.equal(0);
  });

  it('puts a replay in the place of damaged rows, and the partition goes on', async () => {
    const [before] = await instance.rows<object>(DEVICE_ROWS);
    await damage(
      "ALTER TABLE ch_truck DELETE WHERE device = 'truck_7'",
      "ALTER TABLE agg_1m UPDATE sum = arrayMap(v -> v + 1, sum) WHERE device = 'truck_3'",
      "INSERT INTO agg_1m SELECT * REPLACE ('unheard' AS device) FROM agg_1m FINAL LIMIT 1",
    );
    const diff = await run('replay', 'diff', 'whole');
    expect(diff.code).to.equal(5);
    const minutes = diff.lines.map((line) => tableOf(line, 'agg_1m'));
    expect(minutes.reduce((sum, { extra }) => sum + extra, 0)).to.equal(1);
    expect(minutes.reduce((sum, { differs }) => sum + differs, 0)).to.be.greaterThan(0);
    const promoted = await run('replay', 'promote', 'whole');
    expect(promoted.code, promoted.stderr).to.equal(0);
    await goesOn(2);
    expect(await instance.rows(DEVICE_ROWS)).to.deep.equal([before]);
    const [unheard] = await instance.rows<{ n: string }>(
      "SELECT count() AS n FROM v_agg_1m WHERE device = 'unheard'",
    );
    expect(unheard!.n).to.equal('0');
    await send(2);
    const [after] = await instance.rows<{ n: string }>(DEVICE_ROWS);
    expect(Number(after!.n)).to.be.greaterThan(Number((before as { n: string }).n));
    await expectEqual();
  });

  it('refuses to promote a replay whose generation is over', async () => {
    const { code, stderr } = await run('replay', 'promote', 'whole');
    expect(code).to.equal(2);
    expect(stderr).to.include('another generation');
  });

  it('recomputes one device', async () => {
    const [before] = await instance.rows<object>(DEVICE_ROWS);
    await damage("ALTER TABLE ch_truck DELETE WHERE device = 'truck_7'");
    const [site] = await instance.rows<{ site: string }>(
      "SELECT any(site) AS site FROM v_devices WHERE device = 'truck_7'",
    );
    const device = `demo/${site!.site}/truck_7`;
    const range = ['--from', '2000-01-01T00:00Z', '--to', '2100-01-01T00:00Z'];
    const shown = await run('recompute', '--device', device, ...range, '--name', 'one');
    expect(shown.code, shown.stderr).to.equal(5);
    const [line] = shown.lines;
    const { n } = before as { n: string };
    expect(tableOf(line!, 'ch_truck')).to.include({ missing: Number(n), equal: 0 });
    expect(line!.rowsWrong).to.equal(Number(n));
    const [others] = await instance.rows<{ n: string }>(
      "SELECT count() AS n FROM millrace_replay_one.v_agg_1m WHERE device != 'truck_7'",
    );
    expect(others!.n).to.equal('0');
    expect((await run('replay', 'promote', 'one')).code).to.equal(0);
    await goesOn(3);
    expect(await instance.rows(DEVICE_ROWS)).to.deep.equal([before]);
    await send(3);
    await expectEqual();
  });

  it('replays a range, which can be compared and not promoted', async () => {
    const args = ['--partition', '1', '--from', '3', '--to', '5', '--name', 'part'];
    const { code, stderr } = await run('replay', ...args);
    expect(code, stderr).to.equal(0);
    const [outside] = await instance.rows<{ n: string }>(
      'SELECT countIf(sequence NOT BETWEEN 3 AND 5) AS n FROM millrace_replay_part.v_truck',
    );
    expect(outside!.n).to.equal('0');
    expect((await run('replay', 'diff', 'part')).code).to.equal(0);
    const refused = await run('replay', 'promote', 'part');
    expect(refused.code).to.equal(2);
    expect(refused.stderr).to.include('--to');
  });

  it('drops what it made', async () => {
    for (const name of ['whole', 'one', 'part']) {
      expect((await run('replay', 'drop', name)).code).to.equal(0);
    }
    const { lines } = await run('replay', 'ls');
    expect(lines).to.deep.equal([]);
    expect((await run('replay', 'diff', 'whole')).code).to.equal(2);
    await expectEqual();
  });
});
