/**
 * A device's story, told in seconds: what it sends, when it comes, and what the kernel makes of it.
 * In: JSON members by log second. Out: rows, facts and dead letters, which the reference and all
 * builds that are asked for must give alike.
 */
import { expect } from 'chai';
import type { Kernel, PartitionKernel } from '../../src/model/doors.ts';
import type { Plan, PlanChannel } from '../../src/model/plan.ts';
import type { EventKey } from '../../src/model/record.ts';
import { difference, drive, GENERATION, lines, type Outcome, runReference } from './drive.ts';
import type { TableRow } from './law.ts';
import { all, LOG, LogWriter, PARTITION, recordOf, START_MS } from './log-writer.ts';
import { channelOf, HOUR_MS, planOf } from './plan-sample.ts';

export type Member = number | boolean | string | null;

export interface Sent {
  readonly device?: string;
  readonly channel?: string;
  readonly key?: EventKey;
  /** Event time; null: the payload has none. As the log's when it is not given. */
  readonly time?: number | null;
  /** As the log's when it is not given. */
  readonly received?: number;
  /** Instead of members. */
  readonly raw?: string | Uint8Array;
  readonly kind?: string;
}

/** A JSON channel without windows; rows and facts of windows are told elsewhere. */
export function jsonChannel(given: Partial<PlanChannel> = {}): PlanChannel {
  return channelOf(0, 'c', {
    ...{ format: 'json', windows: [], timePath: ['time'], timeFormat: 'ms', latenessMs: HOUR_MS },
    ...given,
  });
}

export const atS = (second: number): number => START_MS + second * 1_000;

export class Story {
  readonly log = new LogWriter();

  constructor(plan: Plan) {
    this.log.plan(plan);
  }

  static of(channel: Partial<PlanChannel>, plan: Partial<Plan> = {}): Story {
    return new Story(planOf([jsonChannel(channel)], plan));
  }

  send(second: number, members: Readonly<Record<string, Member>>, sent: Sent = {}): this {
    const { time = second, received = second, raw, ...rest } = sent;
    const stamp = time === null ? {} : { time: atS(time) };
    const payload = raw ?? JSON.stringify({ ...stamp, ...members });
    this.log.at(atS(second)).batch([
      {
        ...recordOf({ ...rest, payload: Buffer.from(payload), receivedAtMs: atS(received) }),
        ...(sent.kind === undefined ? {} : { kind: sent.kind }),
      },
    ]);
    return this;
  }

  tick(second: number): this {
    this.log.at(atS(second)).tick();
    return this;
  }

  plan(plan: Plan): this {
    this.log.plan(plan);
    return this;
  }

  open(kernel: Kernel): PartitionKernel {
    return kernel.open({
      ...{ log: LOG, partition: PARTITION, generation: GENERATION, memoryBytes: 64 << 20 },
    });
  }

  /** What the kernel makes of it; the reference must agree. */
  async play(kernel: Kernel): Promise<Outcome> {
    const outcome = await drive(this.open(kernel), all(this.log.messages));
    const wanted = runReference({ messages: this.log.messages, skips: [] } as never);
    expect(difference(lines(outcome), lines(wanted)), 'as the reference').to.equal('');
    return outcome;
  }

  /** The rows of one table, only the columns that are asked for. */
  async rows(kernel: Kernel, table: string, columns: readonly string[]): Promise<TableRow[]> {
    const rows = (await this.play(kernel)).tables.get(table) ?? [];
    return rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name]!])));
  }

  /** Status of each record in order, '' for those stored whole. One record per message. */
  async statuses(kernel: Kernel): Promise<string[]> {
    const { deadLetters } = await this.play(kernel);
    return this.log.messages
      .filter(({ subject }) => subject.endsWith('.batch'))
      .map(({ sequence }) => {
        const letter = deadLetters.find((each) => each.sequence === sequence);
        return letter?.reason ?? '';
      });
  }
}
