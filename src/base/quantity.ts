/**
 * Durations and sizes as people write them: `10s 5m 1h 7d 5y forever`, `256MiB`. In: text. Out:
 * milliseconds and bytes, null when the text is neither. A year is 365 days. `forever` is 0.
 */
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  y: 365 * 86_400_000,
};
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const DURATION_PATTERN = '^(0|[1-9][0-9]{0,8})(ms|s|m|h|d|y)$';
export const RETENTION_PATTERN = '^(forever|(0|[1-9][0-9]{0,8})(ms|s|m|h|d|y))$';
export const SIZE_PATTERN = '^(0|[1-9][0-9]{0,11})(B|KiB|MiB|GiB|TiB)$';

const DURATION = new RegExp(DURATION_PATTERN);
const SIZE = new RegExp(SIZE_PATTERN);
export const FOREVER = 'forever';

export function parseDuration(text: string): number | null {
  if (text === FOREVER) return 0;
  return parse(text, DURATION, DURATION_UNITS);
}

export function parseSize(text: string): number | null {
  return parse(text, SIZE, SIZE_UNITS);
}

function parse(text: string, pattern: RegExp, units: Readonly<Record<string, number>>) {
  const match = pattern.exec(text);
  return match === null ? null : Number(match[1]) * units[match[2]];
}

/** In the largest unit that gives a whole number: 60,000 → '1m', 90,000 → '90s'. */
export function formatDuration(durationMs: number): string {
  return format(durationMs, DURATION_UNITS, 's');
}

export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS, 'B');
}

function format(value: number, units: Readonly<Record<string, number>>, zero: string): string {
  if (value === 0) return `0${zero}`;
  const fitting = Object.entries(units).filter(([, factor]) => value % factor === 0);
  const [unit, factor] = fitting.at(-1) ?? [zero, 1];
  return `${value / factor}${unit}`;
}
