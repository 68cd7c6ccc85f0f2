import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Instance } from '../support/instance.ts';
import { startServer, type TestServer } from '../support/nats-server.ts';

const BEFORE = `
metrics:
  temperature: { unit: Cel }
  humidity: { unit: '%' }
channels:
  climate:
    idle: 2s
    eventId: { path: id }
    metrics: { temperature: {}, humidity: {} }
`;

/** One metric gone, one new, another channel. */
const AFTER = `
metrics:
  temperature: { unit: Cel }
  pressure: { unit: hPa }
channels:
  climate:
    idle: 2s
    eventId: { path: id }
    metrics: { temperature: {}, pressure: {} }
  noise:
    metrics: { temperature: {} }
`;

describe('an instance that changes around its data', function () {
  this.timeout(120_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-change-'));
  const config = join(folder, 'millrace.yaml');
  const undo: (() => unknown)[] = [];

  afterEach(async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function instanceOf(): Instance {
    const instance = new Instance('--config', config);
    undo.push(() => instance.dispose());
    return instance;
  }

  async function send(instance: Instance, channel: string, events: readonly object[]) {
    const file = join(folder, 'events.ndjson');
    writeFileSync(file, events.map((event) => JSON.stringify(event)).join('\n'));
    const args = ['ingest', file, '--channel', channel, '--device', 'd', '--restart'];
    const result = await instance.command(...args, '--id', 'id', '--json');
    expect(result.code, result.stderr).to.equal(0);
  }

  const climate = (instance: Instance, columns: string) =>
    instance.rows(`SELECT ${columns} FROM v_climate ORDER BY temperature`);

  it('takes an edited configuration at its next start and keeps state and rows', async () => {
    const instance = instanceOf();
    writeFileSync(config, BEFORE);
    await instance.start();
    await send(instance, 'climate', [{ id: 'a', temperature: 1, humidity: 40 }]);
    await instance.stop();

    writeFileSync(config, AFTER);
    await instance.start();
    await send(instance, 'climate', [
      { id: 'a', temperature: 1, humidity: 40 },
      { id: 'b', temperature: 2, pressure: 1013 },
    ]);
    await send(instance, 'noise', [{ id: 'c', temperature: 3 }]);
    await instance.until('the last row', async () => {
      const [{ n }] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_noise');
      return n === '1';
    });
    expect(await climate(instance, 'temperature, pressure')).to.deep.equal([
      { temperature: 1, pressure: null },
      { temperature: 2, pressure: 1013 },
    ]);
    const [ledger] = await instance.rows(
      'SELECT sum(stored) AS kept, sum(duplicate) AS twice, countIf(NOT balanced) AS odd FROM v_ledger',
    );
    expect(ledger).to.deep.equal({ kept: '3', twice: '1', odd: '0' });
  });

  it('refuses a changed unit, naming its line, and starts again when it is put back', async () => {
    const instance = instanceOf();
    writeFileSync(config, BEFORE);
    await instance.start();
    await instance.stop();
    writeFileSync(config, BEFORE.replace('unit: Cel', "unit: '[degF]'"));
    const refused = await instance.start().then(
      () => 'started',
      (error: Error) => error.message,
    );
    expect(refused).to.match(/millrace\.yaml:\d+:\d+.*new name/s);
    writeFileSync(config, BEFORE);
    await instance.start();
  });

  it('works the same on a NATS server and a ClickHouse of its own', async () => {
    const nats: TestServer = await startServer({ storeBytesMax: 8 * 1024 ** 3 });
    undo.push(() => nats.stop());
    writeFileSync(config, BEFORE);
    const other = instanceOf();
    await other.start();
    const { url } = other.state.clickhouse;
    writeFileSync(
      config,
      `${BEFORE}\nnats: { url: '${nats.url}' }\nclickhouse: { url: '${url}', database: mine }\n` +
        'log: { maxBytes: 512MiB }\n',
    );
    const instance = instanceOf();
    await instance.start();
    expect(instance.state.nats.url).to.equal(nats.url);
    await send(instance, 'climate', [{ id: 'a', temperature: 5, humidity: 1 }]);
    await instance.until('the row', async () => (await climate(instance, '1')).length === 1);
    expect(await other.rows('SELECT temperature FROM mine.v_climate')).to.deep.equal([
      { temperature: 5 },
    ]);
    expect(await other.rows('SELECT count() AS n FROM v_climate')).to.deep.equal([{ n: '0' }]);
    expect(await instance.stop()).to.equal(0);
  });
});
