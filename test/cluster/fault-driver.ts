/**
 * Lets the faults of a plan happen, each at its time, side by side. In: a stage and a plan. Out:
 * a record of each: when it really began, when what it disturbed was healthy again, and whose
 * partitions it hit.
 */

import { systemClock } from '../../src/base/clock.ts';
import { callApi } from '../../src/log/api.ts';
import type { NatsLink } from '../../src/log/index.ts';
import { createOwnership } from '../../src/log/index.ts';
import type { Query } from '../../src/query/index.ts';
import { streamName } from '../../src/wire/subject.ts';
import type { FaultRecord } from './check/failover.ts';
import type { Fault } from './plan.ts';
import { LOG_ID, PARTITIONS } from './settings.ts';
import type { Stage } from './stage.ts';

export interface DriverOptions {
  readonly stage: Stage;
  /** Not through any proxy. */
  readonly link: NatsLink;
  readonly query: Query;
}

const RECOVERED_MS_MAX = 120_000;
const POLL_MS = 200;
/** Who owns what is asked just before: no answer, not counted. */
const ASK_TIMEOUT_MS = 1_000;

export class FaultDriver {
  readonly records: FaultRecord[] = [];
  readonly #options: DriverOptions;
  readonly #open = new Set<Fault>();
  readonly #settling: Promise<void>[] = [];

  constructor(options: DriverOptions) {
    this.#options = options;
  }

  /** What is disturbed at the moment. */
  get open(): string[] {
    return [...this.#open].map(({ kind, target }) => `${kind}:${target + 1}`);
  }

  /** Resolves when the cause of every fault is gone. */
  async run(plan: readonly Fault[], signal?: AbortSignal): Promise<void> {
    const startMs = systemClock.monotonicMs();
    await Promise.all(
      plan.map(async (fault) => {
        const waitMs = startMs + fault.atMs - systemClock.monotonicMs();
        await systemClock.wait(Math.max(0, waitMs), signal);
        await this.#happen(fault, signal);
      }),
    );
  }

  /** Everything lives and answers again. */
  async recovered(): Promise<void> {
    await Promise.all(this.#settling);
    const { stage, query } = this.#options;
    const isWell = async () => {
      const workers = [...stage.cluster.workers.values()];
      if (!workers.every((worker) => worker.process.isRunning && worker.isUp)) return false;
      const healthy = await Promise.all(stage.cluster.nats.map((node) => node.isHealthy()));
      if (!healthy.every((each) => each)) return false;
      return query.ping().then(
        () => true,
        () => false,
      );
    };
    const endMs = systemClock.monotonicMs() + RECOVERED_MS_MAX;
    while (!(await isWell()) && systemClock.monotonicMs() < endMs) await systemClock.wait(POLL_MS);
  }

  async #happen(planned: Fault, signal?: AbortSignal): Promise<void> {
    const { stage } = this.#options;
    const fault = await this.#aimed(planned);
    const partitions = await this.#partitionsHit(fault).catch(() => null);
    const beganAtMs = systemClock.nowMs();
    let error: string | null = null;
    const note = (cause: unknown) => {
      error ??= String((cause as Error).message ?? cause);
    };
    this.#open.add(fault);
    await stage.begin(fault).catch(note);
    await systemClock.wait(fault.durationMs, signal);
    await stage.end(fault).catch(note);
    this.#open.delete(fault);
    const over = this.#healthy(fault).then(() => {
      const overAtMs = systemClock.nowMs();
      this.records.push({ ...fault, beganAtMs, overAtMs, partitions, error });
    });
    this.#settling.push(over);
  }

  /** At the owner of its partition. */
  async #aimed(fault: Fault): Promise<Fault> {
    if (fault.ownerOf === null) return fault;
    const owners = await this.#owners().catch(() => []);
    const target = this.#options.stage.workerNames.indexOf(owners[fault.ownerOf] ?? '');
    return target < 0 ? fault : { ...fault, target };
  }

  async #healthy({ kind, target }: Fault): Promise<void> {
    if (kind.startsWith('nats-')) {
      await this.#options.stage.cluster.nats[target]!.untilHealthy(RECOVERED_MS_MAX).catch(
        () => {},
      );
    }
  }

  async #partitionsHit({ kind, target }: Fault): Promise<number[] | null> {
    const { stage } = this.#options;
    if (kind === 'worker-kill' || kind === 'worker-pause') {
      return this.#partitionsWhere(await this.#owners(), stage.workerNames[target]!);
    }
    if (!kind.startsWith('nats-')) return null;
    return this.#partitionsWhere(await this.#leaders(), stage.cluster.nats[target]!.name);
  }

  #partitionsWhere(names: readonly (string | undefined)[], name: string): number[] {
    return names.flatMap((each, partition) => (each === name ? [partition] : []));
  }

  #owners(): Promise<(string | undefined)[]> {
    const ownership = createOwnership({ link: this.#options.link, job: 'core', log: LOG_ID });
    return ofEach(async (partition) => {
      const stored = await ownership.load(partition);
      return stored?.record.owner.split(':')[0];
    });
  }

  #leaders(): Promise<(string | undefined)[]> {
    return ofEach(async (partition) => {
      const operation = `STREAM.INFO.${streamName(LOG_ID, partition)}`;
      const answer = await callApi<{ cluster: { leader?: string } }>(
        this.#options.link,
        operation,
        {},
        ASK_TIMEOUT_MS,
      );
      return answer.cluster?.leader;
    });
  }
}

const ofEach = <Value>(ask: (partition: number) => Promise<Value>): Promise<Value[]> =>
  Promise.all(Array.from({ length: PARTITIONS }, (_, partition) => ask(partition)));
