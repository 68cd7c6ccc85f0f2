/**
 * What tests over a real log share: a server with a small log, links that are closed, a reader that
 * collects. Everything made here is undone by `cleanUp`, last made first, also after a failure.
 */
import { systemClock } from '../../src/base/clock.ts';
import {
  createNatsConnection,
  ensureStreams,
  type LinkStatus,
  type NatsLink,
  type StreamOptions,
} from '../../src/log/index.ts';
import type { LogReader } from '../../src/model/doors.ts';
import { chunkMessages, type LogMessage } from '../../src/wire/chunk.ts';
import { startServer, type TestServer, type TestServerOptions } from './nats-server.ts';

const MIB = 1_048_576;
export const SMALL: StreamOptions = {
  logId: 'main',
  partitions: 2,
  logBytesMax: 256 * MIB,
  checkpointBytesMax: 16 * MIB,
  stateBytesMax: 64 * MIB,
  factBytesMax: 64 * MIB,
  deadLetterBytesMax: 16 * MIB,
  shadowBytesMax: 16 * MIB,
};

const undo: (() => unknown)[] = [];

export function undoLater(step: () => unknown): void {
  undo.push(step);
}

export async function cleanUp(): Promise<void> {
  for (let step = undo.pop(); step; step = undo.pop()) await step();
}

export async function makeServer(options: TestServerOptions = {}): Promise<TestServer> {
  const server = await startServer(options);
  undo.push(() => server.stop());
  return server;
}

export async function makeLink(
  server: TestServer,
  onStatus: (status: LinkStatus) => void = () => {},
): Promise<NatsLink> {
  const link = await createNatsConnection({ url: server.url, name: 'test', onStatus });
  undo.push(() => link.close());
  return link;
}

export async function makeLog(options: Partial<StreamOptions> = {}, server?: TestServer) {
  const used = server ?? (await makeServer());
  const link = await makeLink(used);
  await ensureStreams(link, { ...SMALL, ...options });
  return { server: used, link };
}

export interface Collector {
  readonly messages: LogMessage[];
  readonly chunks: { readonly count: number; readonly bytes: number }[];
  /** Resolves when `count` messages came; rejects when reading failed or it takes too long. */
  until(count: number): Promise<LogMessage[]>;
  stop(): Promise<void>;
  /** Rejects with what ended the reading, if anything but `stop` did. */
  readonly ended: Promise<void>;
}

export function collect(reader: LogReader, partition: number, from = 1n): Collector {
  const stopping = new AbortController();
  const messages: LogMessage[] = [];
  const chunks: { count: number; bytes: number }[] = [];
  let failure: unknown = null;
  const ended = (async () => {
    for await (const chunk of reader.read(partition, from, stopping.signal)) {
      chunks.push({ count: chunk.count, bytes: chunk.bytes.length });
      messages.push(...chunkMessages(chunk));
    }
  })();
  ended.catch((error) => {
    failure = error;
  });
  const stop = async () => {
    stopping.abort();
    await ended.catch(() => {});
  };
  undo.push(stop);
  return {
    messages,
    chunks,
    ended,
    stop,
    async until(count) {
      await until(() => {
        if (failure) throw failure;
        return messages.length >= count;
      }, `${count} messages were read`);
      return messages;
    },
  };
}

/** Waits for a condition; the limit is for a test that would never end. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  limitMs = 20_000,
): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + limitMs;
  while (!(await condition())) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await systemClock.wait(5);
  }
}

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** The code of an OperatingError that a promise rejects with; 'none' when it resolves. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}
