/** Options that several commands have, and how their texts are read. A wrong one is wrong usage. */
import { type Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../base/quantity.ts';
import { DATA_FOLDER, DEMO_FOLDER } from './run-file.ts';

/** Which running instance a command speaks to, and how it answers. */
export interface InstanceOptions {
  readonly dataDir?: string;
  readonly json?: boolean;
}

export function forInstance(command: Command): Command {
  return command
    .option(
      '--data-dir <folder>',
      `data folder of the running instance (default: ${DATA_FOLDER}, else ${DEMO_FOLDER})`,
    )
    .option('--json', 'JSON instead of text');
}

export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ ${line}`).join('\n')}`;
}

/** A whole number from 0 on. */
export function wholeNumber(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

/** A whole number from 1 on. */
export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number > 0) return number;
  throw new InvalidArgumentError('Expected a whole number from 1 on.');
}

export function bigNumber(text: string): bigint {
  if (/^\d{1,20}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('Expected a whole number.');
}

export function durationMs(text: string): number {
  const parsed = parseDuration(text);
  if (parsed !== null && parsed > 0) return parsed;
  throw new InvalidArgumentError('Expected a duration such as 30s, 15m, 1h or 7d.');
}

/** Collects `name=value` of an option that may be given several times. */
export function namedValues(text: string, before: ReadonlyMap<string, string> | undefined) {
  const at = text.indexOf('=');
  const [name, value] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at > 0 && name && value) return new Map(before ?? []).set(name, value);
  throw new InvalidArgumentError('Expected NAME=VALUE.');
}
