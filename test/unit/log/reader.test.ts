/** What the reader promises over a real server when things go wrong. */
import { once } from 'node:events';
import { cpSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../src/base/clock.ts';
import {
  createLogAppender,
  createLogReader,
  type Disturbance,
  type NatsLink,
} from '../../../src/log/index.ts';
import {
  bytesOf,
  cleanUp,
  codeOf,
  collect,
  makeLink,
  makeLog,
  makeServer,
  textOf,
  until,
} from '../../support/log-fixture.ts';

const body64k = new Uint8Array(65_536).fill(1);

/** In the bare protocol, and over the link as where that is encrypted: one contract. */
const WAYS = [
  { way: 'in the bare protocol', bareProtocol: true },
  { way: 'over the link', bareProtocol: false },
];

function readerMaker(bareProtocol: boolean) {
  return (link: NatsLink) => {
    const disturbances: Disturbance[] = [];
    const onDisturbed = (each: Disturbance) => disturbances.push(each);
    const options = { link, logId: 'main', onDisturbed, bareProtocol };
    return { reader: createLogReader(options), disturbances };
  };
}

/** What a reader of messages of 64 KiB was sent: over the link, or by its consumer. */
async function deliveredBytes(link: NatsLink): Promise<number> {
  await link.nc.flush();
  const [name] = await consumersOf(link);
  if (name === undefined) return link.nc.stats().inBytes;
  const reply = await link.request(`$JS.API.CONSUMER.INFO.LOG_main_0.${name}`, bytesOf(''));
  const { delivered } = reply.json() as { delivered: { stream_seq: number } };
  return delivered.stream_seq * body64k.length;
}

async function consumersOf(link: NatsLink): Promise<string[]> {
  const reply = await link.request('$JS.API.CONSUMER.NAMES.LOG_main_0', bytesOf('{}'));
  return (reply.json() as { consumers: string[] | null }).consumers ?? [];
}

for (const { way, bareProtocol } of WAYS) {
  describe(`the log reader, ${way}`, () => {
    const makeReader = readerMaker(bareProtocol);
    afterEach(cleanUp);

    it('loses nothing acknowledged when the server is killed while others append', async () => {
      const { server, link } = await makeLog();
      const writing = await makeLink(server);
      const appender = createLogAppender({ link: writing, logId: 'main' });
      const { reader } = makeReader(link);
      const collector = collect(reader, 0);
      const acknowledged = new Map<bigint, string>();
      const stopping = new AbortController();
      const appending = (async () => {
        for (let count = 0; !stopping.signal.aborted; ) {
          const text = `message ${count}`;
          await appender.append({ kind: 'batch', partition: 0, body: bytesOf(text) }).then(
            (sequence) => {
              acknowledged.set(sequence, text);
              count += 1;
            },
            () => systemClock.wait(1),
          );
        }
      })();
      try {
        for (let round = 1; round <= 3; round += 1) {
          const target = acknowledged.size + 300;
          await until(() => acknowledged.size >= target, 'more was acknowledged');
          await server.kill('SIGKILL');
          await server.restart();
        }
        const target = acknowledged.size + 300;
        await until(() => acknowledged.size >= target, 'it goes on after the last kill');
      } finally {
        stopping.abort();
        await appending;
      }
      const last = [...acknowledged.keys()].at(-1)!;
      await collector.until(Number(last));
      collector.messages.forEach(({ sequence }, index) => {
        expect(sequence).to.equal(BigInt(index) + 1n);
      });
      for (const [sequence, text] of acknowledged) {
        expect(textOf(collector.messages[Number(sequence) - 1]!.payload)).to.equal(text);
      }
      await collector.stop();
    });

    it('goes on by itself, without a hole, when heartbeats stop and come back', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link, logId: 'main' });
      const { reader, disturbances } = makeReader(link);
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('before') });
      const collector = collect(reader, 0);
      await collector.until(1);
      server.pause();
      try {
        await until(() => disturbances.length > 0, 'the missing heartbeats were noticed');
      } finally {
        server.resume();
      }
      expect(disturbances[0]).to.include({ kind: 'disturbed', stream: 'LOG_main_0' });
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('after') });
      const texts = (await collector.until(2)).map(({ payload }) => textOf(payload));
      expect(texts).to.deep.equal(['before', 'after']);
    });

    it('begins anew at once when its connection was replaced', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link: await makeLink(server), logId: 'main' });
      const { reader, disturbances } = makeReader(link);
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('before') });
      const collector = collect(reader, 0);
      await collector.until(1);
      await until(async () => (await consumersOf(link)).length === 1, 'it tails');
      await link.nc.reconnect();
      // Sooner than missing heartbeats would tell.
      await until(() => disturbances.length > 0, 'the loss was noticed', 2_000);
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('after') });
      const texts = (await collector.until(2)).map(({ payload }) => textOf(payload));
      expect(texts).to.deep.equal(['before', 'after']);
    });

    it('holds a bounded part of the log while nobody takes, and then gives all of it', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link: await makeLink(server), logId: 'main' });
      const append = async (count: number) => {
        for (let index = 0; index < count; index += 1) {
          await appender.append({ kind: 'batch', partition: 0, body: body64k });
        }
      };
      await append(160);
      const { reader } = makeReader(link);
      const stopping = new AbortController();
      const chunks = reader.read(0, 1n, stopping.signal)[Symbol.asyncIterator]();
      let count = (await chunks.next()).value!.count;
      await until(async () => (await deliveredBytes(link)) > 3 << 20, 'it read ahead');
      await append(160);
      expect(await deliveredBytes(link)).to.be.below(6 << 20);
      while (count < 320) count += (await chunks.next()).value!.count;
      expect(count).to.equal(320);
      stopping.abort();
      await chunks.return?.();
    });

    it('passes over what is purged and deleted in front of it while it tails', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link: await makeLink(server), logId: 'main' });
      const { reader, disturbances } = makeReader(link);
      await appender.append({ kind: 'batch', partition: 0, body: body64k });
      const stopping = new AbortController();
      const chunks = reader.read(0, 1n, stopping.signal)[Symbol.asyncIterator]();
      const seen: bigint[] = [];
      const take = async () => {
        const chunk = (await chunks.next()).value!;
        for (let each = chunk.firstSequence; each <= chunk.lastSequence; each += 1n)
          seen.push(each);
        return chunk;
      };
      await take();
      // Nobody takes: the tail stops pulling when its room is used up, far below 200.
      for (let index = 2; index <= 200; index += 1) {
        await appender.append({ kind: 'batch', partition: 0, body: body64k });
      }
      const api = (operation: string, body: object) =>
        link.request(`$JS.API.STREAM.${operation}.LOG_main_0`, bytesOf(JSON.stringify(body)));
      await api('PURGE', { seq: 120 });
      await api('MSG.DELETE', { seq: 150 });
      while (seen.at(-1)! < 200n) await take();
      const after = seen.filter((sequence) => sequence >= 120n && sequence !== 150n);
      expect(after.length).to.be.at.least(80);
      expect(seen.length).to.be.below(200);
      expect(disturbances.map(({ kind }) => kind)).to.include('gap');
      stopping.abort();
      await chunks.return?.();
    });

    it('says LOG_TAIL_LOST when the log grew again over a lost tail', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link, logId: 'main' });
      const append = (text: string) =>
        appender.append({ kind: 'batch', partition: 0, body: bytesOf(text) });
      const store = join(server.folder, 'store');
      await append('kept');
      await server.kill('SIGTERM');
      cpSync(store, `${store}.old`, { recursive: true });
      await server.restart();
      await until(() => link.isConnected, 'connected again');
      for (const text of ['lost 1', 'lost 2']) await append(text);
      const { reader } = makeReader(link);
      const collector = collect(reader, 0);
      await collector.until(3);
      await server.kill('SIGKILL');
      rmSync(store, { recursive: true });
      cpSync(`${store}.old`, store, { recursive: true });
      await server.restart();
      expect(await codeOf(collector.ended)).to.equal('LOG_TAIL_LOST');
    });

    it('says STREAM_UNSAFE when the stream is removed under it', async () => {
      const { link } = await makeLog();
      const { reader } = makeReader(link);
      const appender = createLogAppender({ link, logId: 'main' });
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('x') });
      const collector = collect(reader, 0);
      await collector.until(1);
      await link.request('$JS.API.STREAM.DELETE.LOG_main_0', new Uint8Array(0));
      expect(await codeOf(collector.ended)).to.equal('STREAM_UNSAFE');
    });

    it('yields a message at the tail within milliseconds of its acknowledgement', async () => {
      const { server, link } = await makeLog();
      const appender = createLogAppender({ link: await makeLink(server), logId: 'main' });
      const { reader } = makeReader(link);
      const collector = collect(reader, 0);
      const tookMs: number[] = [];
      for (let count = 1; count <= 41; count += 1) {
        await appender.append({ kind: 'batch', partition: 0, body: bytesOf('x') });
        const appendedMs = systemClock.monotonicMs();
        await collector.until(count);
        tookMs.push(systemClock.monotonicMs() - appendedMs);
      }
      tookMs.sort((left, right) => left - right);
      expect(tookMs[20]!, `median of ${tookMs}`).to.be.below(25);
    });

    it('leaves no consumer behind', async () => {
      const { link } = await makeLog();
      const { reader } = makeReader(link);
      const appender = createLogAppender({ link, logId: 'main' });
      await appender.append({ kind: 'batch', partition: 0, body: bytesOf('x') });
      const collector = collect(reader, 0);
      await until(async () => (await consumersOf(link)).length === 1, 'it tails');
      await collector.stop();
      expect(await consumersOf(link)).to.deep.equal([]);
    });
  });

  describe(`a message with headers, ${way}`, () => {
    const makeReader = readerMaker(bareProtocol);
    afterEach(cleanUp);

    const cases: { readonly title: string; readonly raw: string; readonly stored: string }[] = [
      {
        title: 'of a publisher',
        raw: 'NATS/1.0\r\nMillrace-Event-Id: e-1\r\n\r\n',
        stored: 'NATS/1.0\r\nMillrace-Event-Id: e-1\r\n\r\n',
      },
      { title: 'that are empty', raw: 'NATS/1.0\r\n\r\n', stored: '' },
      {
        title: 'that look like the server’s own',
        raw: 'NATS/1.0\r\nNats-Stream: x\r\nNats-Sequence: 99\r\n\r\n',
        stored: 'NATS/1.0\r\nNats-Stream: x\r\nNats-Sequence: 99\r\n\r\n',
      },
      {
        // The server itself takes the status away before it stores the message.
        title: 'that look like a status',
        raw: 'NATS/1.0 404 gone\r\nA: b\r\n\r\n',
        stored: 'NATS/1.0\r\nA: b\r\n\r\n',
      },
    ];

    for (const { title, raw, stored } of cases) {
      it(`${title} is the same when caught up, tailed and read alone`, async () => {
        const mapping =
          'mappings { "iot.*.*.*.t.*": "log.main.{{partition(2,1,2,3)}}.iot.{{wildcard(1)}}.' +
          '{{wildcard(2)}}.{{wildcard(3)}}.t.{{wildcard(4)}}" }';
        const { server, link } = await makeLog({}, await makeServer({ extra: mapping }));
        const { reader } = makeReader(link);
        const tailing = [collect(reader, 0), collect(reader, 1)];
        await publishRaw(server.port, 'iot.acme.north.truck-7.t.engine', raw, 'payload');
        await until(() => tailing.some(({ messages }) => messages.length === 1), 'it was tailed');
        const partition = tailing[0]!.messages.length === 1 ? 0 : 1;
        const caughtUp = (await collect(reader, partition).until(1))[0]!;
        const tailed = tailing[partition]!.messages[0]!;
        expect(tailed).to.deep.equal(caughtUp);
        expect(textOf(caughtUp.headers)).to.equal(stored);
        expect(textOf(caughtUp.payload)).to.equal('payload');
        expect(caughtUp.subject).to.equal(`log.main.${partition}.iot.acme.north.truck-7.t.engine`);
        const alone = (await reader.message(partition, 1n))!;
        expect(textOf(alone.headers)).to.equal(stored);
        expect(alone.logTimeNs).to.equal(caughtUp.logTimeNs);
      });
    }
  });
}

/** The NATS protocol by hand: the client would put the headers in order. */
async function publishRaw(port: number, subject: string, headers: string, payload: string) {
  const socket = connect(port, '127.0.0.1');
  const sizes = `${headers.length} ${headers.length + payload.length}`;
  socket.write('CONNECT {"verbose":false,"headers":true}\r\n');
  socket.write(`HPUB ${subject} ${sizes}\r\n${headers}${payload}\r\nPING\r\n`);
  let answer = '';
  while (!answer.includes('PONG')) answer += (await once(socket, 'data'))[0];
  socket.destroy();
  expect(answer).to.not.include('-ERR');
}
