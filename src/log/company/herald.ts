/**
 * Who says that this worker lives. In: its words, renewed every HEARTBEAT_INTERVAL_MS while its
 * loop turns. Out: the words on their subject. The usual herald is a thread with a connection of
 * its own (herald-thread.ts): on a busy machine the loop may stand still for longer than others
 * wait for a heartbeat, and a worker that is only slow must not be taken for dead. It speaks for a
 * loop that stands still LOOP_STALL_MAX_MS and no longer: who is stuck for good has to be replaced.
 */
import { Worker } from 'node:worker_threads';
import { siblingModule } from '../../base/sibling.ts';
import type { NatsConnectionOptions, NatsLink } from '../connection.ts';

/** The thread holds a connection and one text. */
const HEAP_MIB_MAX = 32;

export interface Herald {
  /** Null: there is nothing to say until the next words (the worker cannot work just now). */
  tell(words: string | null): void;
  stop(): Promise<void>;
}

export interface HeraldOrder {
  readonly connection: Pick<NatsConnectionOptions, 'url' | 'user' | 'password'>;
  readonly log: string;
  readonly member: string;
}

export type ToHerald = { readonly words: string | null } | 'stop';

/** Speaks on a connection that others use too, and only while its caller does. */
export function linkHerald({ nc }: NatsLink, subject: string): Herald {
  return {
    tell: (words) => {
      if (words !== null) nc.publish(subject, words);
    },
    stop: async () => {},
  };
}

/** A thread that cannot go on is a bug, and ends the process like one. */
export function createHerald(order: HeraldOrder): Herald {
  const thread = new Worker(siblingModule(import.meta.url, './herald-thread'), {
    workerData: order,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
  });
  const ended = new Promise<void>((resolve) => thread.once('exit', () => resolve()));
  return {
    tell: (words) => thread.postMessage({ words } satisfies ToHerald),
    async stop() {
      thread.postMessage('stop' satisfies ToHerald);
      await ended;
    },
  };
}
