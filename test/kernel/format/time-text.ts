/** A time as a format writes it that has its own types for numbers and texts. */
import type { TimeFormat } from '../../../src/model/plan.ts';
import type { Random } from '../random.ts';

/** Digits, or ISO 8601. */
export function timeText(random: Random, timeMs: number, format: TimeFormat): string {
  const ms = BigInt(Math.round(timeMs));
  if (format === 'iso8601') return new Date(timeMs).toISOString();
  if (format === 's') return String(ms / 1000n);
  if (format === 'ms') return String(ms);
  const finer = BigInt(random.int(0, 999));
  return String(format === 'us' ? ms * 1000n + finer : ms * 1_000_000n + finer);
}
