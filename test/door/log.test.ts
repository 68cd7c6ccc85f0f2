/**
 * Contract of the doors LogAppender and LogReader, over JetStream and over the log in memory: what
 * the runtime may rely on, whichever is behind the door.
 */
import { expect } from 'chai';
import { CHUNK_BYTES_MAX } from '../../assembly/shared/abi.ts';
import { createLogAppender, createLogReader } from '../../src/log/index.ts';
import type { LogAppender, LogReader } from '../../src/model/doors.ts';
import { bytesOf, cleanUp, codeOf, collect, makeLog, textOf } from '../support/log-fixture.ts';
import { MemoryLog } from '../support/memory-log.ts';

interface Log {
  readonly appender: LogAppender;
  readonly reader: LogReader;
  purge(partition: number, below: bigint): Promise<void>;
  remove(partition: number, sequence: bigint): Promise<void>;
}

const implementations: { readonly name: string; make(bytesMax?: number): Promise<Log> }[] = [
  { name: 'JetStream', make: (bytesMax) => realLog(bytesMax) },
  { name: 'JetStream over the link', make: (bytesMax) => realLog(bytesMax, false) },
  { name: 'memory', make: memoryLog },
];

async function realLog(bytesMax = 64 << 20, bareProtocol = true): Promise<Log> {
  const { link } = await makeLog({ logBytesMax: 2 * bytesMax });
  const api = (operation: string, body: object) =>
    link.request(`$JS.API.STREAM.${operation}`, bytesOf(JSON.stringify(body)));
  return {
    appender: createLogAppender({ link, logId: 'main' }),
    reader: createLogReader({ link, logId: 'main', bareProtocol }),
    purge: async (p, below) => void (await api(`PURGE.LOG_main_${p}`, { seq: Number(below) })),
    remove: async (p, seq) => void (await api(`MSG.DELETE.LOG_main_${p}`, { seq: Number(seq) })),
  };
}

async function memoryLog(bytesMax = 64 << 20): Promise<Log> {
  const log = new MemoryLog({ partitions: 2, bytesMax });
  return {
    appender: log,
    reader: log,
    purge: async (partition, below) => log.purge(partition, below),
    remove: async (partition, sequence) => log.remove(partition, sequence),
  };
}

for (const { name, make } of implementations) {
  describe(`the door to the log, over ${name}`, () => {
    afterEach(cleanUp);

    const append = (log: Log, partition: number, text: string) =>
      log.appender.append({ kind: 'batch', partition, body: bytesOf(text) });

    it('answers an append with sequences 1, 2, 3 … of that partition alone', async () => {
      const log = await make();
      const given = [];
      for (const partition of [0, 0, 1, 0]) given.push(await append(log, partition, 'x'));
      expect(given).to.deep.equal([1n, 2n, 1n, 3n]);
    });

    it('yields what was there and what comes later, once and in order', async () => {
      const log = await make();
      for (const text of ['a', 'b']) await append(log, 0, text);
      const collector = collect(log.reader, 0);
      await collector.until(2);
      for (const text of ['c', '']) await append(log, 0, text);
      await append(log, 1, 'of another partition');
      const messages = await collector.until(4);
      expect(messages.map(({ payload }) => textOf(payload))).to.deep.equal(['a', 'b', 'c', '']);
      expect(messages.map(({ sequence }) => sequence)).to.deep.equal([1n, 2n, 3n, 4n]);
      expect(messages[0]!.subject).to.equal('log.main.0.batch');
      expect(messages[0]!.headers.length).to.equal(0);
      expect(messages[0]!.logTimeNs <= messages[3]!.logTimeNs).to.equal(true);
    });

    it('begins where it is told to, also at a sequence that does not exist yet', async () => {
      const log = await make();
      for (const text of ['a', 'b', 'c']) await append(log, 0, text);
      const third = collect(log.reader, 0, 3n);
      const later = collect(log.reader, 0, 4n);
      expect((await third.until(1)).map(({ sequence }) => sequence)).to.deep.equal([3n]);
      await append(log, 0, 'd');
      expect(textOf((await later.until(1))[0]!.payload)).to.equal('d');
    });

    it('cuts chunks of whole messages, none larger than a region', async () => {
      const log = await make();
      const body = new Uint8Array(65_536).fill(7);
      for (let count = 0; count < 40; count += 1) {
        await log.appender.append({ kind: 'batch', partition: 0, body });
      }
      const collector = collect(log.reader, 0);
      await collector.until(40);
      expect(collector.chunks.length).to.be.greaterThan(2);
      for (const { bytes } of collector.chunks) expect(bytes).to.be.at.most(CHUNK_BYTES_MAX);
      expect(collector.messages.every(({ payload }) => payload.length === 65_536)).to.equal(true);
    });

    it('passes over deleted and purged messages', async () => {
      const log = await make();
      for (let index = 1; index <= 8; index += 1) await append(log, 0, String(index));
      await log.remove(0, 5n);
      await log.remove(0, 6n);
      await log.purge(0, 3n);
      const collector = collect(log.reader, 0);
      const sequences = (await collector.until(4)).map(({ sequence }) => sequence);
      expect(sequences).to.deep.equal([3n, 4n, 7n, 8n]);
    });

    it('tells first and last sequence, also of an empty log', async () => {
      const log = await make();
      expect(await log.reader.state(0)).to.include({ lastSequence: 0n });
      for (const text of ['a', 'b', 'c']) await append(log, 0, text);
      await log.purge(0, 2n);
      const state = await log.reader.state(0);
      expect(state).to.include({ firstSequence: 2n, lastSequence: 3n });
      expect(state.bytesMax).to.be.greaterThan(state.bytes);
    });

    it('identifies a message by stamp and content, and does not find what is gone', async () => {
      const log = await make();
      for (const text of ['same', 'same', 'other']) await append(log, 0, text);
      const [first, second, third] = await Promise.all(
        [1n, 2n, 3n].map((sequence) => log.reader.identity(0, sequence)),
      );
      expect(first!.hash)
        .to.match(/^[0-9a-f]{16}$/)
        .and.to.equal(second!.hash);
      expect(third!.hash).to.not.equal(first!.hash);
      await log.remove(0, 2n);
      expect(await log.reader.identity(0, 2n)).to.equal(null);
      expect(await log.reader.identity(0, 9n)).to.equal(null);
      const message = (await collect(log.reader, 0).until(1))[0]!;
      expect(first!.logTimeNs).to.equal(message.logTimeNs);
    });

    it('gives one message back byte for byte, null when it is gone', async () => {
      const log = await make();
      const body = Uint8Array.from({ length: 256 }, (_, index) => index);
      await log.appender.append({ kind: 'tick', partition: 1, body });
      const message = await log.reader.message(1, 1n);
      expect(message!.subject).to.equal('log.main.1.tick');
      expect([...message!.payload]).to.deep.equal([...body]);
      expect(await log.reader.message(1, 2n)).to.equal(null);
    });

    it('refuses with LOG_FULL when the partition has no room', async () => {
      const log = await make(1 << 20);
      const body = new Uint8Array(65_536);
      let refusal = 'none';
      for (let count = 0; count < 40 && refusal === 'none'; count += 1) {
        refusal = await codeOf(log.appender.append({ kind: 'batch', partition: 0, body }));
      }
      expect(refusal).to.equal('LOG_FULL');
      const { lastSequence } = await log.reader.state(0);
      await log.purge(0, lastSequence);
      expect(await append(log, 0, 'fits again')).to.equal(lastSequence + 1n);
    });

    it('ends reading when the signal aborts, whether it waits or reads', async () => {
      const log = await make();
      await append(log, 0, 'a');
      const collector = collect(log.reader, 0);
      await collector.until(1);
      await collector.stop();
      await collector.ended;
      const aborted = AbortSignal.abort();
      for await (const chunk of log.reader.read(0, 1n, aborted)) expect.fail(`${chunk.count}`);
    });
  });
}
