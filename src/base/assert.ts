/** A bug is a broken assumption of our own: it throws, and is never caught to be ignored. */
export class BugError extends Error {
  override name = 'BugError';
}

export function assert(condition: unknown, why: string): asserts condition {
  if (!condition) throw new BugError(`bug: ${why}`);
}
