/**
 * The process that stands for a service: it subscribes to the windows of one second and notes when
 * each partition says something new. A fact that is published again (by a standby that took over)
 * is not new. Out (by message): per partition the arrival times, in UTC milliseconds.
 */
import { systemClock } from '../../../src/base/clock.ts';
import { createNatsConnection } from '../../../src/log/index.ts';
import { decodeFact } from '../../../src/wire/fact.ts';

export interface SubscriberOrder {
  readonly natsUrl: string;
}

export interface Arrivals {
  /** [partition, when] in order of arrival. */
  readonly arrivals: readonly (readonly [number, number])[];
  /** Facts that came again or came late. */
  readonly again: number;
}

const TELL_MS = 500;

process.on('message', (order: SubscriberOrder) => {
  void subscribe(order);
});
process.on('disconnect', () => process.exit());

async function subscribe({ natsUrl }: SubscriberOrder): Promise<void> {
  const link = await createNatsConnection({ url: natsUrl, name: 'chaos subscriber' });
  const newest = new Map<number, bigint>();
  let arrivals: [number, number][] = [];
  let again = 0;
  link.nc.subscribe('agg.1s.>', {
    callback: (error, message) => {
      if (error) return;
      const fact = decodeFact(message.data);
      if (fact.kind !== 'window') return;
      const { partition, version } = fact;
      if (version.sequence < (newest.get(partition) ?? 0n)) {
        again += 1;
        return;
      }
      newest.set(partition, version.sequence);
      arrivals.push([partition, systemClock.nowMs()]);
    },
  });
  setInterval(() => {
    process.send?.({ arrivals, again } satisfies Arrivals);
    arrivals = [];
  }, TELL_MS);
}
