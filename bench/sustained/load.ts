/**
 * Whoever publishes in the sustained bench, a process of its own: open loop, every record at the
 * moment that is its event time, whatever the log answers. In: JSON by message from the parent.
 * Out: to the parent, when the log has stored what and which record of it was due first; and how
 * old alerts were when they arrived, as this process is also who listens.
 */
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { createNatsConnection, type NatsLink } from '../../src/log/index.ts';
import type { NatsEndpoint } from '../../src/main.ts';
import { partitionOf } from '../../src/wire/subject.ts';
import { recordsOf } from '../drain/backlog.ts';
import { CASES, LOG_ID, PARTITIONS } from '../drain/case.ts';
import { Corpus } from '../kernel/corpus.ts';
import { planFor } from '../kernel/shape.ts';

export interface LoadOptions {
  readonly nats: NatsEndpoint;
  readonly case: string;
  readonly devices: number;
  readonly eventsPerSecond: number;
  readonly seconds: number;
}

export type FromLoad =
  | {
      readonly type: 'stored';
      readonly partition: number;
      readonly sequence: number;
      readonly dueMs: number;
    }
  | { readonly type: 'alerts'; readonly agesMs: readonly number[] }
  | { readonly type: 'done'; readonly events: number; readonly lateMs: number };

/** As ingest does: a batch waits no longer for company. */
const LINGER_MS = 5;
const BATCH_BYTES_MAX = 60_000;
const ALERTS_TOLD_MS = 250;
const GROUP_EVENTS = 1_000;
const START_DELAY_MS = 300;
/** Alerts and answers that are still on their way. */
const REST_MS = 1_500;

const tell = (message: FromLoad) => process.send?.(message);

process.once('message', (options: LoadOptions) => void publish(options));
// Whoever measures is gone.
process.once('disconnect', () => process.exit());

async function publish(options: LoadOptions): Promise<void> {
  const link = await createNatsConnection({ ...options.nats, name: 'bench load' });
  const stopListening = listen(link);
  const given = CASES.find(({ name }) => name === options.case)!;
  const cadenceMs = (options.devices * 1000) / options.eventsPerSecond;
  const shape = { ...given.shape, cadenceMs };
  const plan = JSON.stringify(planFor(shape, given.format, options.devices));
  const startMs = Date.now() + START_DELAY_MS;
  const corpus = new Corpus({
    shape,
    format: given.format,
    devices: options.devices,
    plan,
    startMs,
  });
  const batches = Array.from({ length: PARTITIONS }, (_, partition) => new Batch(link, partition));
  const total = options.eventsPerSecond * options.seconds;
  let events = 0;
  let lateMs = 0;
  while (events < total) {
    const group = corpus.next(Math.min(GROUP_EVENTS, options.eventsPerSecond));
    for (const message of group.messages) {
      if (!message.subject.endsWith('.batch')) continue;
      for (const record of recordsOf(message.payload)) {
        // The corpus receives a record TRANSIT_MS after its event; it is due at its event.
        const dueMs = record.receivedAtMs - Corpus.transitMs;
        const aheadMs = dueMs - Date.now();
        if (aheadMs >= 1) {
          for (const batch of batches) batch.flushOld();
          await wait(aheadMs);
        }
        lateMs = Math.max(lateMs, Date.now() - dueMs);
        batches[partitionOf(record, PARTITIONS)]!.put(record.bytes, dueMs);
        events += 1;
      }
    }
    await Promise.resolve();
  }
  for (const batch of batches) batch.flush();
  await Promise.all(batches.map((batch) => batch.settled()));
  await wait(REST_MS);
  stopListening();
  tell({ type: 'done', events, lateMs });
  // Its processor time can be told apart for as long as it lives.
  await once(process, 'message');
  await link.close();
  process.disconnect();
}

class Batch {
  readonly #link: NatsLink;
  readonly #partition: number;
  readonly #onWay = new Set<Promise<void>>();
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #firstDueMs = 0;

  constructor(link: NatsLink, partition: number) {
    this.#link = link;
    this.#partition = partition;
  }

  put(piece: Uint8Array, dueMs: number): void {
    if (this.#pieces.length === 0) this.#firstDueMs = dueMs;
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes >= BATCH_BYTES_MAX || dueMs - this.#firstDueMs >= LINGER_MS) this.flush();
  }

  flushOld(): void {
    if (this.#pieces.length > 0 && Date.now() - this.#firstDueMs >= LINGER_MS) this.flush();
  }

  flush(): void {
    if (this.#pieces.length === 0) return;
    const [body, dueMs] = [Buffer.concat(this.#pieces), this.#firstDueMs];
    this.#pieces = [];
    this.#bytes = 0;
    const sent = this.#append(body, dueMs);
    this.#onWay.add(sent);
    void sent.finally(() => this.#onWay.delete(sent));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#onWay);
  }

  async #append(body: Uint8Array, dueMs: number): Promise<void> {
    const partition = this.#partition;
    const answer = await this.#link.request(`log.${LOG_ID}.${partition}.batch`, body);
    const { seq } = answer.json() as { seq?: number };
    if (!seq) throw new Error(`the log refused a batch: ${answer.string()}`);
    tell({ type: 'stored', partition, sequence: seq, dueMs });
  }
}

/** Tells how old alerts are that were raised: now − the event that raised them. */
function listen(link: NatsLink): () => void {
  let agesMs: number[] = [];
  link.nc.subscribe('alert.>', {
    callback: (_, message) => {
      const alert = message.json() as { active: boolean; raisedAtMs: number };
      if (alert.active) agesMs.push(Date.now() - alert.raisedAtMs);
    },
  });
  const flush = () => {
    if (agesMs.length > 0) tell({ type: 'alerts', agesMs });
    agesMs = [];
  };
  const timer = setInterval(flush, ALERTS_TOLD_MS);
  return () => {
    clearInterval(timer);
    flush();
  };
}
