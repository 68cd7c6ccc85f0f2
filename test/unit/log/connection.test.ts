/** Connecting, losing the connection and requests in between. */
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import { createLogAppender, createNatsConnection } from '../../../src/log/index.ts';
import {
  bytesOf,
  cleanUp,
  codeOf,
  makeLink,
  makeLog,
  makeServer,
  undoLater,
  until,
} from '../../support/log-fixture.ts';

describe('the connection to NATS', () => {
  afterEach(cleanUp);

  it('gives up with NATS_UNREACHABLE, in bounded time, when nobody listens', async () => {
    const server = await makeServer();
    await server.kill();
    const options = { url: server.url, name: 'test', firstConnectMs: 300 };
    const startedMs = systemClock.monotonicMs();
    expect(await codeOf(createNatsConnection(options))).to.equal('NATS_UNREACHABLE');
    expect(systemClock.monotonicMs() - startedMs).to.be.below(5_000);
  });

  it('waits for a server that comes up a little later', async () => {
    const server = await makeServer();
    await server.kill();
    const connecting = createNatsConnection({ url: server.url, name: 'test' });
    await server.restart();
    const link = await connecting;
    undoLater(() => link.close());
    expect(link.isConnected).to.equal(true);
  });

  it('says at once that a user is refused', async () => {
    const users = 'authorization { user: millrace, password: right }';
    const { url } = await makeServer({ extra: users });
    const options = { url, name: 'test', user: 'millrace', password: 'wrong' };
    try {
      await createNatsConnection(options);
      expect.fail('connected');
    } catch (error) {
      expect((error as { code: string }).code).to.equal('NATS_UNREACHABLE');
      expect((error as Error).message).to.include('refuses user millrace');
    }
    const link = await createNatsConnection({ ...options, password: 'right' });
    await link.close();
  });

  it('tells of loss and return, and reconnects for ever', async () => {
    const server = await makeServer();
    const told: string[] = [];
    const link = await makeLink(server, ({ kind }) => told.push(kind));
    for (let round = 1; round <= 2; round += 1) {
      await server.kill();
      await until(() => !link.isConnected, 'the loss was noticed');
      await server.restart();
      await until(() => link.isConnected, 'it is back');
    }
    expect(told.filter((kind) => kind !== 'error')).to.deep.equal([
      'lost',
      'restored',
      'lost',
      'restored',
    ]);
    expect(link.losses).to.equal(2);
  });

  it('fails requests in flight when it is lost, and never sends one later', async () => {
    const { server, link } = await makeLog();
    const appender = createLogAppender({ link, logId: 'main' });
    const append = () => appender.append({ kind: 'batch', partition: 0, body: bytesOf('x') });
    await append();
    server.pause();
    const inFlight = codeOf(append());
    await server.kill();
    expect(await inFlight).to.equal('NATS_UNREACHABLE');
    await until(() => !link.isConnected, 'the loss was noticed');
    const startedMs = systemClock.monotonicMs();
    for (let count = 0; count < 3; count += 1) {
      expect(await codeOf(append())).to.equal('NATS_UNREACHABLE');
    }
    // At once, not after a time-out: until then the client would keep it and might still send it.
    expect(systemClock.monotonicMs() - startedMs).to.be.below(2_000);
    await server.restart();
    await until(() => link.isConnected, 'it is back');
    expect(await append()).to.equal(2n);
  });
});

describe('the appender', () => {
  afterEach(cleanUp);

  it('fails with NATS_UNREACHABLE when no stream takes the message', async () => {
    const { link } = await makeLog();
    const appender = createLogAppender({ link, logId: 'other' });
    const body = bytesOf('x');
    expect(await codeOf(appender.append({ kind: 'batch', partition: 0, body }))).to.equal(
      'NATS_UNREACHABLE',
    );
  });

  it('refuses to believe another stream’s acknowledgement', async () => {
    const { link } = await makeLog();
    const config = { name: 'THIEF', subjects: ['log.stolen.0.>'] };
    await link.request('$JS.API.STREAM.CREATE.THIEF', bytesOf(JSON.stringify(config)));
    const appender = createLogAppender({ link, logId: 'stolen' });
    expect(
      await codeOf(appender.append({ kind: 'ctl', partition: 0, body: bytesOf('x') })),
    ).to.equal('STREAM_UNSAFE');
  });

  it('takes a full record batch, and what it cannot take is a bug of the caller', async () => {
    const { link } = await makeLog();
    const appender = createLogAppender({ link, logId: 'main' });
    const append = (bytes: number) =>
      appender.append({ kind: 'batch', partition: 0, body: new Uint8Array(bytes) });
    expect(await append(65_536)).to.equal(1n);
    expect(await codeOf(append(65_537))).to.match(/^BugError/);
  });
});
