/**
 * Names of the kernel's statuses: what subjects, tables, metrics and people see. The numbers and
 * their precedence live in assembly/shared/status.ts, compiled into the kernel as well.
 */
import * as status from '../../assembly/shared/status.ts';

const numbers = Object.entries(status).filter(([name]) => name !== 'STATUS_COUNT');

/** Status number → name, e.g. 23 → 'OUT_OF_RANGE'. */
export const STATUS_NAMES: readonly string[] = numbers
  .sort((left, right) => left[1] - right[1])
  .map(([name]) => name);

export function statusName(number: number): string {
  return STATUS_NAMES[number] ?? `STATUS_${number}`;
}

export function statusNumber(name: string): number {
  return STATUS_NAMES.indexOf(name);
}
