import { spawn } from 'node:child_process';
import { cpSync, lstatSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { siblingModule } from '../../../src/base/sibling.ts';
import { isOperatingError, type OperatingError } from '../../../src/model/error.ts';
import { channelTable } from '../../../src/model/table.ts';
import {
  createInserter,
  type Inserter,
  type InserterOptions,
} from '../../../src/readmodel/inserter.ts';
import { openSpool, type Spool } from '../../../src/readmodel/spool/spool.ts';
import {
  CLICKHOUSE_START_MS,
  startClickHouse,
  type TestClickHouse,
} from '../../support/clickhouse.ts';
import { nativeBlock } from '../../support/native-writer.ts';
import { until } from '../../support/until.ts';
import { createFixture, type ReadModelFixture, TRUCK, truckRow } from './fixture.ts';

const STOP_MS = 30_000;
const PLENTY_BYTES = 64 * 1024 ** 2;

describe('while ClickHouse is away', function () {
  this.timeout(CLICKHOUSE_START_MS);
  let clickHouse: TestClickHouse;
  let model: ReadModelFixture;
  let folder: string;
  let inserter: Inserter;
  let spool: Spool | null;

  before(async () => {
    clickHouse = await startClickHouse();
  });
  after(() => clickHouse?.stop());
  beforeEach(async () => {
    model = await createFixture(clickHouse, [TRUCK]);
    folder = mkdtempSync(join(tmpdir(), 'millrace-outage-'));
    spool = null;
  });
  afterEach(async () => {
    await end();
    await model?.connection.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const begin = async (options: Partial<InserterOptions> = {}, bytesMax = PLENTY_BYTES) => {
    const { connection, database } = model;
    spool = await openSpool({ folder: join(folder, 'spool'), bytesMax });
    inserter = createInserter({
      ...{ connection, database, log: 'main', clock: systemClock, spool },
      ...{ spoolCovers: 'checkpoints', spillAfterMs: 20, flushMs: 5 },
      ...options,
    });
  };
  const end = async (deadlineMs = STOP_MS): Promise<void> => {
    await inserter?.stop(deadlineMs);
    await spool?.close();
    spool = null;
  };
  const sequencesSeen = async (): Promise<number[]> => {
    const rows = await model.rows<{ sequence: string }>(
      'SELECT sequence FROM {db}.v_truck ORDER BY sequence',
    );
    return rows.map(({ sequence }) => Number(sequence));
  };
  const visibleOf = async (partition: number): Promise<number> => {
    const [row] = await model.rows<{ n: string }>(
      `SELECT max(sequence) AS n FROM {db}.visible WHERE partition = ${partition}`,
    );
    return Number(row!.n);
  };
  const turn = (sequence: number, partition = 0): Promise<void> =>
    inserter.insert(partition, [truck(sequence, partition)], BigInt(sequence));
  const upTo = (last: number): number[] => Array.from({ length: last }, (_, index) => index + 1);

  it('turns and checkpoints go on, and nothing is missing when it is back', async () => {
    await begin();
    for (const sequence of upTo(5)) await turn(sequence);
    await inserter.flushed(0);
    await clickHouse.pause();
    for (let sequence = 6; sequence <= 60; sequence += 1) {
      await turn(sequence);
      if (sequence % 10 === 0) await inserter.flushed(0);
    }
    expect(inserter.stats().trouble?.code).to.equal('CLICKHOUSE_UNREACHABLE');
    expect(inserter.stats().spooledBatches).to.be.above(4);
    await until(() => inserter.stats().bufferedBytes === 0);
    await clickHouse.resume();
    expect(await visibleOf(0)).to.be.below(60);
    await until(() => inserter.stats().spooledBatches === 0);
    expect(await visibleOf(0)).to.equal(60);
    await turn(61);
    await until(() => inserter.stats().lagMs === 0);
    expect(await sequencesSeen()).to.deep.equal(upTo(61));
    expect(inserter.stats()).to.include({ spooledBytes: 0, spoolRefusals: 0, trouble: null });
  });

  it('nothing is lost when the engine is killed over and over while rows flow', async () => {
    await begin();
    let last = 0;
    const write = async (): Promise<void> => {
      for (let batch = 0; batch < 20; batch += 1) {
        last += 1;
        await turn(last);
        await inserter.flushed(0);
      }
    };
    for (let kill = 0; kill < 2; kill += 1) {
      await Promise.all([write(), clickHouse.crash()]);
      await write();
    }
    await until(() => inserter.stats().spooledBatches === 0 && inserter.stats().lagMs === 0);
    expect(await sequencesSeen()).to.deep.equal(upTo(last));
    expect(await visibleOf(0)).to.equal(last);
  });

  it('what a killed process had on disk is stored first by the next', async () => {
    const turns = 25;
    const flushed = await killedWriter(join(folder, 'spool'), model.database, turns);
    expect(flushed).to.equal(turns);
    await begin();
    expect(inserter.stats().spooledBatches).to.be.at.least(turns - 1);
    expect(await inserter.reached(3)).to.equal(BigInt(turns));
    await turn(turns + 1, 3);
    await until(async () => (await visibleOf(3)) === turns + 1);
    expect(await sequencesSeen()).to.deep.equal(upTo(turns + 1));
  });

  it('a spool that covers turns only lets them go on, and checkpoints wait', async () => {
    await begin({ spoolCovers: 'turns', bufferBytesMax: 1 });
    await clickHouse.pause();
    for (const sequence of upTo(10)) await turn(sequence);
    let isFlushed = false;
    const waiting = inserter.flushed(0).then(() => {
      isFlushed = true;
    });
    await until(() => inserter.stats().retries > 1);
    expect(isFlushed).to.equal(false);
    await clickHouse.resume();
    await waiting;
    expect(await visibleOf(0)).to.equal(10);
    expect(await sequencesSeen()).to.deep.equal(upTo(10));
  });

  it('a full spool says so once and holds turns back; nothing is missing later', async () => {
    const told: (OperatingError | null)[] = [];
    await begin({ onTrouble: (error) => told.push(error), bufferBytesMax: 1 }, 3_000);
    await clickHouse.pause();
    let admitted = 0;
    const writing = (async () => {
      for (const sequence of upTo(20)) {
        await turn(sequence);
        admitted = sequence;
      }
    })();
    await until(() => inserter.stats().spoolRefusals > 0);
    await until(() => inserter.stats().retries > 2);
    expect(admitted).to.be.within(1, 19);
    const full = told.filter((error) => error?.code === 'SPOOL_FULL');
    expect(full).to.have.length(1);
    expect(full[0]!.message).to.include('clickhouse.spoolMaxBytes (3000B)');
    await clickHouse.resume();
    await writing;
    await until(() => inserter.stats().lagMs === 0);
    expect(await sequencesSeen()).to.deep.equal(upTo(20));
    expect(await visibleOf(0)).to.equal(20);
  });

  it('an older copy put back is noticed, and a replay heals it', async () => {
    const data = join(clickHouse.folder, 'data');
    await begin();
    for (const sequence of upTo(3)) await turn(sequence);
    await until(() => inserter.stats().lagMs === 0);
    await clickHouse.pause();
    copy(data, join(folder, 'copy'));
    await clickHouse.resume();
    for (const sequence of [4, 5, 6]) await turn(sequence);
    await until(() => inserter.stats().lagMs === 0);
    await clickHouse.pause();
    for (const sequence of [7, 8]) await turn(sequence);
    await inserter.flushed(0); // in the spool
    rmSync(data, { recursive: true });
    copy(join(folder, 'copy'), data);
    await clickHouse.resume();
    await until(() => inserter.stats().spooledBatches === 0);
    expect(await visibleOf(0)).to.equal(3);
    const told = await turn(9).catch((error: unknown) => error);
    expect(isOperatingError(told, 'READMODEL_BEHIND'), String(told)).to.equal(true);
    expect((told as OperatingError).message).to.include('up to 3 of the log');
    expect(await inserter.reached(0)).to.equal(3n);
    for (const sequence of upTo(9).slice(3)) await turn(sequence);
    await inserter.flushed(0);
    await until(async () => (await visibleOf(0)) === 9);
    expect(await sequencesSeen()).to.deep.equal(upTo(9));
  });

  it('finds a gap at its first insert when it could not ask before', async () => {
    await begin();
    await clickHouse.pause();
    inserter.begin(0, 4n);
    await turn(5);
    await inserter.flushed(0); // in the spool
    await clickHouse.resume();
    await until(() => inserter.stats().lagMs === 0);
    const told = await turn(6).catch((error: unknown) => error);
    expect(isOperatingError(told, 'READMODEL_BEHIND'), String(told)).to.equal(true);
    expect(await visibleOf(0)).to.equal(0);
  });

  it('takes no alarm from what another worker wrote meanwhile', async () => {
    await begin();
    await turn(1);
    await until(() => inserter.stats().lagMs === 0);
    await model.connection.insertRows(`${model.database}.visible`, [
      { log: 'main', partition: 0, sequence: '50', is_deleted: 0 },
    ]);
    inserter.begin(0, 40n);
    await turn(60);
    await until(async () => (await visibleOf(0)) === 60);
    await turn(61);
    await inserter.flushed(0);
  });

  it('knows of a checkpoint that another ClickHouse never saw', async () => {
    await begin();
    expect(await inserter.reached(0)).to.equal(0n);
    await turn(4);
    await inserter.flushed(0);
    expect(await inserter.reached(0)).to.equal(4n);
    expect(await inserter.reached(1)).to.equal(0n);
  });
});

const truck = (sequence: number, partition: number) =>
  nativeBlock(channelTable(TRUCK), [truckRow({ sequence, partition })]);

/** The engine's pipes stay behind: it makes them anew. */
function copy(from: string, to: string): void {
  cpSync(from, to, { recursive: true, filter: (path) => !lstatSync(path).isFIFO() });
}

/** Kills it with SIGKILL after its last turn; gives the last position that counted as flushed. */
async function killedWriter(folder: string, database: string, turns: number): Promise<number> {
  const script = siblingModule(import.meta.url, './spool/writer');
  const child = spawn(process.execPath, [script.pathname, folder, database, `${turns}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let flushed = 0;
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      flushed = Number(line);
      if (flushed === turns) break;
    }
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  return flushed;
}
