/** Exit codes of every command, documented in docs/cli.md and in `--help`. */
import { isOperatingError } from '../model/error.ts';

export const EXIT = {
  done: 0,
  /** Trouble of the environment: unreachable, full, busy. */
  trouble: 1,
  /** Wrong usage, input or configuration. */
  usage: 2,
  /** No running instance was found. */
  notRunning: 3,
  /** The command ran, and what it checked does not hold. */
  checkFailed: 4,
  /** What is stored is not what the log gives. */
  differs: 5,
  /** Nothing differs, but part of what was asked for cannot be verified any more. */
  unverifiable: 6,
  interrupted: 130,
} as const;

const USAGE_CODES = ['CONFIG_INVALID', 'INPUT_INVALID', 'IDENTITY_INVALID'];

export function exitCodeOf(error: unknown): number {
  if (!isOperatingError(error)) return EXIT.trouble;
  if (error.code === 'NOT_RUNNING') return EXIT.notRunning;
  return USAGE_CODES.includes(error.code) ? EXIT.usage : EXIT.trouble;
}
