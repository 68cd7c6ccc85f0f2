/** How commands speak: text or JSON on standard output, errors on standard error. */
import pc from 'picocolors';
import { ERRORS, isOperatingError } from '../model/error.ts';

/** JSON with bigint as text, so that 64-bit sequences keep their value. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(
    value,
    (_, inner: unknown) => (typeof inner === 'bigint' ? `${inner}` : inner),
    indent,
  );
}

export function printJson(value: unknown): void {
  process.stdout.write(`${toJson(value)}\n`);
}

export function printLine(line = ''): void {
  process.stdout.write(`${line}\n`);
}

export function reportError(error: unknown, asJson: boolean): void {
  if (!isOperatingError(error)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${text}\n`);
    return;
  }
  const { remedy } = ERRORS[error.code];
  if (asJson) {
    const { code, message, where } = error;
    process.stderr.write(`${toJson({ error: { code, message, where, remedy } })}\n`);
    return;
  }
  process.stderr.write(`${pc.red(`error ${error.code}`)}: ${error.message}\n  ${remedy}\n`);
}
