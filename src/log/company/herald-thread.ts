/**
 * The herald's thread. In (by message): the worker's words, or `stop`. Out: the words when they
 * come, and the last ones again while none come. A lost connection is restored in silence; a first
 * one that fails is tried again for as long as the worker lives.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../../base/clock.ts';
import { HEARTBEAT_REPEAT_MS, LOOP_STALL_MAX_MS } from '../../model/limit.ts';
import { heartbeatSubject } from '../../wire/subject.ts';
import { createNatsConnection, type NatsLink } from '../connection.ts';
import type { HeraldOrder, ToHerald } from './herald.ts';

const CONNECT_AGAIN_MS = 1_000;

const { connection, log, member } = workerData as HeraldOrder;
const subject = heartbeatSubject(log, member);
const stopping = new AbortController();
let words: string | null = null;
let heardAtMs = 0;
let saidAtMs = 0;
let link: NatsLink | null = null;

parentPort?.on('message', (message: ToHerald) => {
  if (message === 'stop') {
    stopping.abort();
    return;
  }
  words = message.words;
  heardAtMs = systemClock.monotonicMs();
  say();
});

function say(): void {
  // Lost on a broken connection, as it should be: a late heartbeat would be a lie.
  if (words === null || !link?.isConnected) return;
  saidAtMs = systemClock.monotonicMs();
  link.nc.publish(subject, words);
}

async function open(): Promise<NatsLink | null> {
  while (!stopping.signal.aborted) {
    try {
      return await createNatsConnection({ ...connection, name: 'millrace herald' });
    } catch {
      // The worker's own connection has the same trouble, and tells it.
      await systemClock.wait(CONNECT_AGAIN_MS, stopping.signal).catch(() => {});
    }
  }
  return null;
}

async function run(): Promise<void> {
  link = await open();
  while (!stopping.signal.aborted) {
    await systemClock.wait(HEARTBEAT_REPEAT_MS / 2, stopping.signal).catch(() => {});
    const nowMs = systemClock.monotonicMs();
    const isSpokenFor = nowMs - heardAtMs < LOOP_STALL_MAX_MS;
    if (isSpokenFor && nowMs - saidAtMs >= HEARTBEAT_REPEAT_MS) say();
  }
  await link?.close();
  parentPort?.close();
}

await run();
