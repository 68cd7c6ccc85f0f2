import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Instance } from '../support/instance.ts';

const CONFIG = `
log: { partitions: 2, maxBytes: 64MiB }
checkpoint: { interval: 1s, store: STORE }
metrics: { temperature: { unit: Cel } }
channels:
  climate: { idle: 2s, eventId: { path: id }, metrics: { temperature: {} } }
`;
const DEVICES = 10;

interface Listed {
  readonly savepoints: readonly { name: string; partitions: readonly { position: string }[] }[];
}

for (const store of ['stream', 'folder'])
  describe(`savepoints of a running instance, on a ${store}`, function () {
    this.timeout(240_000);
    const folder = mkdtempSync(join(tmpdir(), 'millrace-savepoint-'));
    let instance: Instance;

    before(async () => {
      writeFileSync(join(folder, 'millrace.yaml'), CONFIG.replace('STORE', store));
      instance = new Instance('--config', join(folder, 'millrace.yaml'));
      await instance.start();
    });
    after(async () => {
      await instance.dispose();
      rmSync(folder, { recursive: true, force: true });
    });

    async function send(from: number, to: number): Promise<void> {
      const file = join(folder, 'events.ndjson');
      const lines = Array.from({ length: to - from }, (_, index) =>
        JSON.stringify({
          device: `d${(from + index) % DEVICES}`,
          id: `e${from + index}`,
          temperature: (from + index) % 40,
        }),
      );
      writeFileSync(file, lines.join('\n'));
      const names = ['--channel', 'climate', '--device-column', 'device', '--id', 'id'];
      const sent = await instance.command('ingest', file, '--restart', ...names, '--json');
      expect(sent.code, sent.stderr + sent.stdout).to.equal(0);
    }

    async function json<Answer>(...args: string[]): Promise<Answer> {
      const { code, stdout, stderr } = await instance.command(...args, '--json');
      expect(code, stderr).to.equal(0);
      return JSON.parse(stdout) as Answer;
    }

    const rows = async (sql: string) => JSON.stringify(await instance.rows(sql));
    const samples = () => rows('SELECT count() AS n FROM v_climate');
    const windows = () =>
      rows(
        'SELECT device, window_start, count, sum FROM v_agg_1m ORDER BY device, window_start, metric',
      );

    it('keep positions and state, and going back to one gives the same rows again', async () => {
      await send(0, 500);
      let created = 1;
      await instance.until('every partition has a checkpoint', async () => {
        created = (await instance.command('savepoint', 'create', 'before')).code;
        return created === 0;
      });
      const taken = await instance.command('savepoint', 'create', 'before');
      expect(taken.code).to.equal(1);
      expect(taken.stderr).to.include('SAVEPOINT_EXISTS');
      await send(500, 1500);
      await instance.until('the rows', async () => (await samples()).includes('"1500"'));
      // Two checkpoints on: what the savepoint copied has been collected long since.
      const { savepoints } = await json<Listed>('savepoint', 'list');
      expect(savepoints.map(({ name }) => name)).to.deep.equal(['before']);
      await instance.until('all windows are closed', async () => {
        const [row] = await instance.rows<{ n: string }>(
          "SELECT sum(count) AS n FROM v_agg_1m WHERE metric = 'temperature'",
        );
        return row?.n === '1500';
      });
      const wanted = await windows();
      await json('savepoint', 'restore', 'before');
      await instance.until('the next generation runs', async () => {
        const { code, stdout } = await instance.command('status', '--json');
        if (code !== 0) return false; // a partition is between its generations
        const { partitions } = JSON.parse(stdout) as { partitions: { generation: number }[] };
        return partitions.every(({ generation }) => generation === 2);
      });
      await instance.until('the same samples', async () => (await samples()).includes('"1500"'));
      await instance.until('the same windows', async () => (await windows()) === wanted);
      await send(1000, 1600); // the first 500 of them again
      await instance.until('the new ones', async () => (await samples()).includes('"1600"'));
      const ledger = await json<{ balanced: boolean }>('ledger', '--summary');
      expect(ledger).to.include({ balanced: true, stored: 1600, duplicate: 500 });
    });

    it('are refused under a name that there is not, and can be removed', async () => {
      const unknown = await instance.command('savepoint', 'restore', 'other');
      expect(unknown.stderr).to.include('SAVEPOINT_UNKNOWN').and.include('before');
      await json('savepoint', 'remove', 'before');
      expect(await json('savepoint', 'list')).to.deep.equal({ savepoints: [] });
    });

    it('lie with checkpoints where the configuration says; verify finds them there', async () => {
      const files = join(instance.folder, 'state', 'main');
      expect(existsSync(files) && readdirSync(files).length > 0).to.equal(store === 'folder');
      const { code, stdout, stderr } = await instance.command('verify', '--all', '--json');
      expect(code, stdout + stderr).to.equal(0);
    });

    it('lie in a store that may be changed, without a replay', async () => {
      await instance.stop();
      const other = store === 'folder' ? 'stream' : 'folder';
      writeFileSync(join(folder, 'millrace.yaml'), CONFIG.replace('STORE', other));
      await instance.start();
      await instance.until('it goes on', async () => (await samples()).includes('"1600"'));
      await send(1600, 1700);
      await instance.until('the new ones', async () => (await samples()).includes('"1700"'));
      expect(instance.stderr).to.not.include('CHECKPOINT_CORRUPT');
      expect(instance.troubles).to.deep.equal({});
    });
  });
