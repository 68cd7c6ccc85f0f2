/** The plan in force in a partition, and the hash that chains every plan it ever had. */
import { PLAN_DEFAULTS, type Plan } from '../../../src/model/plan.ts';

/** Dead letters may say why nothing is known yet, so they are not capped away. */
export const NO_PLAN: Plan = {
  ...PLAN_DEFAULTS,
  version: 1,
  log: '',
  partitions: 1,
  channels: [],
  devicesAllowed: null,
  devicesMax: 0,
  idsPerDevice: 1,
  dedupHorizonMs: 0,
  deadLettersPerDeviceMinute: 100,
  deadLetterRetentionMs: 0,
  shadowIntervalMs: 0,
};

const FNV_BASIS = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** h' = fnv1a64(le64(h) ‖ utf8(planText)). */
export function chainPlanHash(before: bigint, planText: string): bigint {
  const hashed = Buffer.alloc(8);
  hashed.writeBigUInt64LE(before);
  let hash = FNV_BASIS;
  for (const byte of [...hashed, ...Buffer.from(planText)]) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  }
  return hash;
}
