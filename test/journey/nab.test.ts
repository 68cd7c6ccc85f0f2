import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { createRandom } from '../../src/sim/random.ts';
import { Instance } from '../support/instance.ts';
import {
  hourDifferences,
  ingestAll,
  launchAll,
  ledgerSum,
  nabConfig,
  nabRows,
  needNab,
  readingDifferences,
  waitComplete,
} from '../support/nab.ts';

/** Every one of them is a fresh folder, a kill -9 of the whole tree, a restart, a second ingest. */
const KILL_ROUNDS = 20;
const KILL_SEED = 20_261_122;
/** Start of the ingest commands to somewhat past their end. */
const KILL_AFTER_MS_MAX = 4_000;

describe('real series of nine sensors', function () {
  this.timeout(120_000);
  let configFolder: string | undefined;
  let instance: Instance;

  before(function () {
    needNab(this);
    configFolder = mkdtempSync(join(tmpdir(), 'millrace-nab-'));
  });
  after(() => configFolder && rmSync(configFolder, { recursive: true, force: true }));
  beforeEach(() => {
    instance = new Instance('--config', nabConfig(configFolder!));
  });
  afterEach(() => instance?.dispose());

  async function expectAllThere(): Promise<void> {
    await waitComplete(instance);
    expect(await readingDifferences(instance)).to.deep.equal([]);
    expect(await hourDifferences(instance)).to.deep.equal([]);
    const ledger = await ledgerSum(instance);
    expect(ledger.unbalanced, 'ledger blocks that do not balance').to.equal('0');
    expect(Number(ledger.stored)).to.equal(nabRows());
    expect(Number(ledger.records)).to.equal(nabRows() + Number(ledger.duplicate));
    const [letters] = await instance.rows<{ n: string }>('SELECT count() AS n FROM v_dead_letters');
    expect(letters.n, 'dead letters').to.equal('0');
  }

  it('end as exactly the rows and hours that ClickHouse computes from the files', async () => {
    await instance.start();
    const results = await ingestAll(instance);
    expect(results.map(({ code, stderr }) => ({ code, stderr }))).to.deep.equal(
      results.map(() => ({ code: 0, stderr: '' })),
    );
    await expectAllThere();
  });

  it('are recognised when every row is sent again', async () => {
    await instance.start();
    await ingestAll(instance);
    await ingestAll(instance, '--restart');
    await expectAllThere();
    expect(Number((await ledgerSum(instance)).duplicate)).to.equal(nabRows());
  });

  const random = createRandom(KILL_SEED);
  for (let round = 1; round <= KILL_ROUNDS; round += 1) {
    const killAfterMs = random.integer(KILL_AFTER_MS_MAX);
    it(`survive kill -9 of everything after ${killAfterMs} ms (round ${round})`, async () => {
      await instance.start();
      const cutOff = launchAll(instance);
      await systemClock.wait(killAfterMs);
      await instance.kill();
      for (const { child } of cutOff) child.kill('SIGKILL'); // they would wait for it to come back
      await Promise.all(cutOff.map(({ result }) => result));
      await instance.start();
      // Every other round sends all rows again instead of going on behind the cursor.
      const again = await ingestAll(instance, ...(round % 2 === 0 ? ['--restart'] : []));
      expect(again.map(({ code }) => code)).to.deep.equal([0, 0, 0, 0]);
      await expectAllThere();
    });
  }
});
