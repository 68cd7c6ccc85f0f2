/**
 * Puts a plan into every partition's log. Plans are inputs like any other record: state is kept,
 * and the plan applies from its place in each log on. Records of a new channel may be admitted only
 * after this settled.
 */
import { createBackoff } from '../base/backoff.ts';
import type { Clock } from '../base/clock.ts';
import type { LogAppender } from '../model/doors.ts';
import { isOperatingError } from '../model/error.ts';

const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 2000;
const TRIES_MAX = 20;

export interface PlanFeedOptions {
  readonly appender: LogAppender;
  readonly clock: Clock;
  readonly partitions: number;
}

/** A plan that is appended twice after a lost reply changes nothing the second time. */
export async function appendPlan(options: PlanFeedOptions, planText: string): Promise<void> {
  const body = Buffer.from(planText, 'utf8');
  const each = Array.from({ length: options.partitions }, (_, partition) =>
    appendOne(options, partition, body),
  );
  await Promise.all(each);
}

async function appendOne(
  { appender, clock }: PlanFeedOptions,
  partition: number,
  body: Uint8Array,
): Promise<void> {
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
  for (let tries = 1; ; tries += 1) {
    try {
      await appender.append({ kind: 'plan', partition, body });
      return;
    } catch (error) {
      if (!isOperatingError(error) || error.retry === 'never' || tries === TRIES_MAX) throw error;
      await clock.wait(backoff.nextMs());
    }
  }
}
