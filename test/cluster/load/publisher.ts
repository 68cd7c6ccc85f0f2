/**
 * The process that sends the load: all lanes of the fleet over one connection. In (by message):
 * what to send and where; `stop`. Out: progress every second; at the end what was acknowledged.
 * Killing it loses nothing but the count, so it is the one process that no fault ends.
 */
import { systemClock } from '../../../src/base/clock.ts';
import { createLogAppender, createNatsConnection } from '../../../src/log/index.ts';
import type { MetricTable } from '../../../src/sim/telemetry.ts';
import { LOG_ID, PARTITIONS } from '../settings.ts';
import { Fleet, type FleetOptions } from './fleet.ts';
import { Lane, type LaneCount, type Stall } from './lane.ts';

export interface PublisherOrder {
  readonly natsUrl: string;
  readonly fleet: FleetOptions;
  /** Channel → metric → place. */
  readonly metrics: Readonly<Record<string, readonly (readonly [string, MetricPlace])[]>>;
}
type MetricPlace = { ordinal: number; integer: boolean };

export type ToPublisher =
  | ({ readonly kind: 'start' } & PublisherOrder)
  | { readonly kind: 'stop'; readonly withinMs: number };

export interface PublisherReport {
  readonly kind: 'progress' | 'done' | 'failed';
  readonly counts: readonly LaneCount[];
  readonly stalls: readonly Stall[];
  readonly error?: string;
}

/** In flight for longer: the reply is lost; the same bytes go out again. */
const APPEND_TIMEOUT_MS = 2_000;
const PROGRESS_MS = 1_000;

const ending = new AbortController();
const cut = new AbortController();

async function publish(order: PublisherOrder): Promise<void> {
  const link = await createNatsConnection({ url: order.natsUrl, name: 'chaos publisher' });
  const appender = createLogAppender({ link, logId: LOG_ID, timeoutMs: APPEND_TIMEOUT_MS });
  const fleet = new Fleet(order.fleet);
  const metrics: Record<string, MetricTable> = Object.fromEntries(
    Object.entries(order.metrics).map(([channel, entries]) => [channel, new Map(entries)]),
  );
  const lanes = Array.from(
    { length: PARTITIONS },
    (_, partition) => new Lane({ fleet, partition, appender, metrics, clock: systemClock }),
  );
  const tell = (kind: PublisherReport['kind'], error?: string) =>
    process.send?.({
      kind,
      counts: lanes.map(({ count }) => count),
      stalls: lanes.flatMap(({ stalls }) => stalls.splice(0)),
      ...(error === undefined ? {} : { error }),
    } satisfies PublisherReport);
  const timer = setInterval(() => tell('progress'), PROGRESS_MS);
  try {
    await Promise.all(lanes.map((lane) => lane.run(ending.signal, cut.signal)));
    tell('done');
  } catch (error) {
    tell('failed', String((error as Error).stack ?? error));
  }
  clearInterval(timer);
  await link.close();
}

process.on('message', (message: ToPublisher) => {
  if (message.kind === 'start') {
    publish(message).catch((error: Error) => {
      const failed: PublisherReport = {
        ...{ kind: 'failed', counts: [], stalls: [] },
        error: String(error.stack),
      };
      process.send?.(failed);
    });
    return;
  }
  ending.abort();
  setTimeout(() => cut.abort(), message.withinMs).unref();
});
process.on('disconnect', () => process.exit());
