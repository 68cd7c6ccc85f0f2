/**
 * The peer: what a Node team writes. JetStream's client consumes the streams, the payload is
 * decoded by JSON.parse or by protobufjs' code, Maps hold devices and windows, rows are objects
 * that ClickHouse's client inserts as JSONEachRow, one batch on its way while the next collects. No
 * checkpoints, no facts, no dead letters: less work than Millrace does.
 */
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { jetstream } from '@nats-io/jetstream';
import type { EngineSet } from '../../src/cli/run/engine-set.ts';
import type { NatsLink } from '../../src/log/index.ts';
import { parseTelemetrySubject, streamName } from '../../src/wire/subject.ts';
import { planFor } from '../kernel/shape.ts';
import { type PeerRecord, readBatch } from '../peer/batch-reader.ts';
import { MapFold } from '../peer/map-fold.ts';
import { type Apply, jsonApplier, protobufApplier } from '../peer/peer.ts';
import type { Backlog } from './backlog.ts';
import { type DrainCase, LOG_ID } from './case.ts';

const ROWS_PER_INSERT = 20_000;
/** Asked for at a time; the client's own default is 100. */
const MESSAGES_MAX = 1_000;
const NANOSECONDS_PER_MS = 1e6;

export async function drainNaively(
  { engines, link }: { engines: EngineSet; link: NatsLink },
  given: DrainCase,
  { last }: Backlog,
): Promise<void> {
  const plan = planFor(given.shape, given.format, given.devices);
  const fold = new MapFold(plan);
  const names = given.shape.metrics.map(({ name }) => name);
  const apply = given.format === 'json' ? jsonApplier(fold, names) : protobufApplier(fold);
  const { url, user: username, password, database } = engines.clickhouse;
  const client = createClient({ url, username, password, database });
  await createTables(client, names);
  const sink = new Sink(client, fold, given);
  await Promise.all(
    last.map((sequence, partition) => consume(link, { partition, sequence }, apply, sink)),
  );
  await sink.end();
  await client.close();
}

async function consume(
  link: NatsLink,
  { partition, sequence }: { partition: number; sequence: bigint },
  apply: Apply,
  sink: Sink,
): Promise<void> {
  const consumer = await jetstream(link.nc).consumers.get(streamName(LOG_ID, partition));
  const messages = await consumer.consume({ max_messages: MESSAGES_MAX });
  for await (const message of messages) {
    const logTimeMs = Math.floor(Number(message.info.timestampNanos) / NANOSECONDS_PER_MS);
    for (const record of recordsOf(message.subject, message.data, logTimeMs)) {
      apply(record, logTimeMs);
    }
    await sink.room();
    if (message.seq >= Number(sequence)) break;
  }
}

function recordsOf(subject: string, payload: Uint8Array, logTimeMs: number): PeerRecord[] {
  if (subject.endsWith('.batch')) return readBatch(payload);
  const parsed = parseTelemetrySubject(subject);
  if (parsed === null) return [];
  const { identity, channel } = parsed;
  return [{ ...identity, channel, receivedAtMs: logTimeMs, payload, boot: '', sequence: 0 }];
}

async function createTables(client: ClickHouseClient, metrics: readonly string[]): Promise<void> {
  const identity = 'tenant LowCardinality(String), site LowCardinality(String), device String';
  const values = metrics.map((name) => `${name} Float64`).join(', ');
  await client.command({
    query: `CREATE TABLE naive_samples (${identity}, event_time Int64, received_at
      Int64, log_time Int64, ${values}) ENGINE = MergeTree
      ORDER BY (tenant, site, device, event_time)`,
  });
  const arrays = ['sum', 'squares', 'min', 'max', 'first', 'last'];
  await client.command({
    query: `CREATE TABLE naive_1m (${identity}, start Int64, metric Array(String),
      count Array(UInt64), ${arrays.map((name) => `${name} Array(Float64)`).join(', ')})
      ENGINE = MergeTree ORDER BY (tenant, site, device, start)`,
  });
}

class Sink {
  readonly #client: ClickHouseClient;
  readonly #fold: MapFold;
  readonly #metrics: readonly string[];
  readonly #storesSamples: boolean;
  #inFlight: Promise<unknown> = Promise.resolve();

  constructor(client: ClickHouseClient, fold: MapFold, given: DrainCase) {
    this.#client = client;
    this.#fold = fold;
    this.#metrics = given.shape.metrics.map(({ name }) => name);
    this.#storesSamples = given.storesSamples;
  }

  /** Sends what was collected once it is enough, behind the batch before. */
  async room(): Promise<void> {
    if (this.#fold.rows.length + this.#fold.windows.length < ROWS_PER_INSERT) return;
    await this.#inFlight;
    this.#send();
  }

  async end(): Promise<void> {
    await this.#inFlight;
    this.#send();
    await this.#inFlight;
  }

  #send(): void {
    const { windows } = this.#fold;
    const rows = this.#storesSamples ? this.#fold.rows : [];
    this.#fold.rows = [];
    this.#fold.windows = [];
    this.#inFlight = Promise.all([
      this.#insert('naive_samples', rows),
      this.#insert(
        'naive_1m',
        windows.map((window) => this.#windowRow(window)),
      ),
    ]);
    // It may fail before anybody waits for it.
    this.#inFlight.catch(() => {});
  }

  #windowRow({ device: name, start, metrics }: MapFold['windows'][number]): object {
    const [tenant, site, device] = name.split('/');
    const row = {
      ...{ tenant, site, device, start },
      ...{ metric: [] as string[], count: [] as number[], sum: [] as number[] },
      ...{ squares: [] as number[], min: [] as number[], max: [] as number[] },
      ...{ first: [] as number[], last: [] as number[] },
    };
    metrics.forEach((aggregate, ordinal) => {
      if (aggregate === undefined) return;
      row.metric.push(this.#metrics[ordinal]!);
      row.count.push(aggregate.count);
      row.sum.push(aggregate.sum);
      row.squares.push(aggregate.squares);
      row.min.push(aggregate.min);
      row.max.push(aggregate.max);
      row.first.push(aggregate.first);
      row.last.push(aggregate.last);
    });
    return row;
  }

  async #insert(table: string, values: readonly object[]): Promise<void> {
    if (values.length > 0) await this.#client.insert({ table, values, format: 'JSONEachRow' });
  }
}
