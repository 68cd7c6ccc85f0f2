/**
 * Where the newest plan of a log is kept for those who are not partitions: key `plan.<log>` of the
 * KV bucket `millrace`. Written before the plan enters any log, so that ids given once stay given
 * even when the process dies in between.
 */
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

const BUCKET = 'millrace';

export interface PlanStore {
  /** Text of the newest plan, null when there is none. */
  load(): Promise<string | null>;
  save(planText: string): Promise<void>;
  /** True once `saveInstalled` was called for this very text: every partition's log has it. */
  isInstalled(planText: string): Promise<boolean>;
  saveInstalled(planText: string): Promise<void>;
}

export async function createPlanStore(nc: NatsConnection, log: string): Promise<PlanStore> {
  const bucket = await new Kvm(nc).open(BUCKET);
  const find = async (key: string): Promise<string | null> => {
    const entry = await bucket.get(key);
    return entry && entry.operation === 'PUT' ? entry.string() : null;
  };
  return {
    load: () => find(`plan.${log}`),
    async save(planText) {
      await bucket.put(`plan.${log}`, planText);
    },
    isInstalled: async (planText) => (await find(`installed.${log}`)) === planText,
    async saveInstalled(planText) {
      await bucket.put(`installed.${log}`, planText);
    },
  };
}
