import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import {
  createHerald,
  createMembership,
  createNatsConnection,
  ensureStreams,
  type Roster,
} from '../../../src/log/index.ts';
import type { MemberStatus } from '../../../src/model/doors.ts';
import type { OperatingError } from '../../../src/model/error.ts';
import {
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_REPEAT_MS,
  LOOP_STALL_MAX_MS,
} from '../../../src/model/limit.ts';
import { startServer, type TestServer } from '../../support/nats-server.ts';

const statusOf = (id: string, process = 'p'): MemberStatus => ({
  id,
  process,
  startedAtMs: 0,
  version: '1',
  semanticsVersion: 1,
  draining: false,
  owns: [
    { partition: 1, epoch: 2, position: '9007199254740993', checkpoint: '3', published: null },
  ],
  follows: [],
  troubles: {},
});

async function until(what: string, check: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 20_000;
  while (!check()) {
    if (systemClock.monotonicMs() > endMs) expect.fail(`not in time: ${what}`);
    await systemClock.wait(10);
  }
}

describe('membership over a real nats-server', () => {
  let server: TestServer;
  const undo: (() => Promise<unknown>)[] = [];

  before(async () => {
    server = await startServer({ storeBytesMax: 8 * 1024 ** 3 });
  });
  after(() => server.stop());
  afterEach(async () => {
    for (let step = undo.pop(); step; step = undo.pop()) await step();
  });

  async function join(id: string, process = 'p', onNamesake?: (error: OperatingError) => void) {
    const link = await createNatsConnection({ url: server.url, name: id });
    undo.push(() => link.close());
    const named = onNamesake ? { onNamesake } : {};
    const options = { link, log: 'main', clock: systemClock, self: { id, process }, ...named };
    const roster: Roster = createMembership(options);
    undo.push(() => roster.stop());
    return { roster, link };
  }

  it('lets members hear what the others own, and not themselves', async () => {
    const [a, b] = [await join('a'), await join('b')];
    a.roster.announce(() => statusOf('a'));
    b.roster.announce(() => statusOf('b'));
    await until('both are heard', () => a.roster.members.length + b.roster.members.length === 2);
    expect(b.roster.members[0]).to.deep.include(statusOf('a'));
  });

  it('keeps the last words of one who fell silent', async () => {
    const [a, b] = [await join('a'), await join('b')];
    b.roster.announce(() => statusOf('b'));
    await until('b is heard', () => a.roster.members.length === 1);
    await b.roster.stop();
    const heardAtMs = () => a.roster.members[0]!.heardAtMs;
    await until('b is silent', () => systemClock.monotonicMs() - heardAtMs() > 1_000);
    expect(a.roster.members[0]?.owns).to.have.length(1);
  });

  it('has a herald that speaks while the loop stands still, but not for ever', async () => {
    const { link } = await join('onlooker');
    const herald = createHerald({ connection: { url: server.url }, log: 'main', member: 'x' });
    undo.push(() => herald.stop());
    let heard = 0;
    const subscription = link.nc.subscribe('svc.millrace.heartbeat.main.x', {
      callback: () => {
        heard += 1;
      },
    });
    undo.push(async () => subscription.unsubscribe());
    const heardOver = async (stillMs: number) => {
      herald.tell(JSON.stringify(statusOf('x')));
      await until('it speaks', () => heard > 0);
      heard = 0;
      const endMs = systemClock.monotonicMs() + stillMs;
      while (systemClock.monotonicMs() < endMs); // nothing of ours turns
      await link.nc.flush();
      return heard;
    };
    expect(await heardOver(5 * HEARTBEAT_INTERVAL_MS)).to.be.at.least(2);
    const most = LOOP_STALL_MAX_MS / HEARTBEAT_REPEAT_MS + 1;
    expect(await heardOver(2 * LOOP_STALL_MAX_MS)).to.be.within(2, most);
    herald.tell(JSON.stringify(statusOf('x')));
    await until('it speaks again', () => heard > most);
    herald.tell(null);
    await link.nc.flush();
    await systemClock.wait(HEARTBEAT_INTERVAL_MS);
    heard = 0;
    await systemClock.wait(5 * HEARTBEAT_INTERVAL_MS);
    expect(heard, 'after it was told to be silent').to.equal(0);
  });

  it('takes what is no heartbeat and no order for nothing', async () => {
    const [a, b] = [await join('a'), await join('b')];
    a.roster.serve({ handOver: async () => true, drain: () => true });
    for (const words of ['', 'alive', '7', 'null', '{"id":5}', '{"owns":[]}']) {
      b.link.nc.publish('svc.millrace.heartbeat.main.x', words);
      b.link.nc.publish('svc.millrace.order.main.a', words);
    }
    b.roster.announce(() => statusOf('b'));
    await until('who speaks well is heard', () => a.roster.members.length > 0);
    expect(a.roster.members.map(({ id }) => id)).to.deep.equal(['b']);
    expect(await b.roster.requestHandOver('a', 1)).to.equal(true);
  });

  it('carries an order to the member it is for, and its answer back', async () => {
    const [a, b] = [await join('a'), await join('b')];
    const asked: number[] = [];
    b.roster.serve({
      handOver: async (partition) => asked.push(partition) === 1,
      drain: () => true,
    });
    await b.link.nc.flush();
    expect(await a.roster.requestHandOver('b', 7)).to.equal(true);
    expect(await a.roster.requestHandOver('b', 8)).to.equal(false);
    expect(asked).to.deep.equal([7, 8]);
  });

  it('tells of another process with the same name, once', async () => {
    const told: string[] = [];
    const a = await join('a', 'first', (error) => told.push(error.code));
    const namesake = await join('a', 'second');
    namesake.roster.announce(() => statusOf('a', 'second'));
    await until('it is told', () => told.length > 0);
    await systemClock.wait(500);
    expect(told).to.deep.equal(['MEMBER_NAME_TAKEN']);
    expect(a.roster.members).to.deep.equal([]);
  });

  it('remembers pins for all', async () => {
    const [a, b] = [await join('a'), await join('b')];
    await ensureStreams(a.link, { logId: 'main', partitions: 1, logBytesMax: 1 << 24 });
    expect(await b.roster.pins()).to.deep.equal(new Map());
    await a.roster.pin(3, 'b');
    await a.roster.pin(4, 'a');
    await a.roster.pin(4, null);
    expect(await b.roster.pins()).to.deep.equal(new Map([[3, 'b']]));
  });

  it('does not take its own lost connection for the silence of others', async () => {
    const a = await join('a');
    const sinceMs = a.roster.hearingSinceMs;
    await server.kill();
    await server.restart();
    await until('it hears again', () => a.roster.hearingSinceMs > sinceMs);
  });
});
