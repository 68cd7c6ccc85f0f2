/**
 * Judges a plan against the memory it is to live in. In: the configuration and its plan. Out: the
 * price, problems that would stop it, warnings worth a look.
 */
import { formatSize } from '../base/quantity.ts';
import type { Config, ConfigProblem } from '../model/config.ts';
import type { Plan } from '../model/plan.ts';
import { DEVICES_FIT_MIN, type PlanPrice, pricePlan } from './price.ts';

export interface PlanLint {
  readonly price: PlanPrice;
  readonly problems: readonly ConfigProblem[];
  readonly warnings: readonly string[];
}

export function lintPlan(config: Config, plan: Plan): PlanLint {
  const price = pricePlan(plan, config.kernel.memoryBytes);
  const problems: ConfigProblem[] = [];
  const warnings: string[] = [];
  const memory = formatSize(config.kernel.memoryBytes);
  const wanted = Math.ceil((plan.devicesAllowed?.length ?? 0) / plan.partitions);
  const least = Math.max(wanted, Math.min(DEVICES_FIT_MIN, plan.devicesMax));
  if (price.devicesPerPartition < least) {
    problems.push({
      path: ['kernel', 'memory'],
      what:
        `holds ${price.devicesPerPartition} devices of ${price.bytesPerDevice} bytes, ` +
        `${least} are wanted per partition`,
      given: memory,
    });
  } else if (price.devicesPerPartition < plan.devicesMax) {
    warnings.push(
      `kernel.memory (${memory}) holds ${price.devicesPerPartition} devices per partition, ` +
        `devices.max allows ${plan.devicesMax}: a full partition waits (MEMORY_FULL)`,
    );
  }
  if (plan.channels.every((channel) => channel.retired)) {
    warnings.push('no channels are declared: every record will be CHANNEL_UNKNOWN');
  }
  return { price, problems, warnings };
}
