/** Durations and sizes that the schema has let pass. In: text. Out: milliseconds, bytes. */
import { assert } from '../base/assert.ts';
import { parseDuration, parseSize } from '../base/quantity.ts';

export function ms(text: string): number {
  const parsed = parseDuration(text);
  assert(parsed !== null, `the schema has let '${text}' pass as a duration`);
  return parsed;
}

export function bytes(text: string): number {
  const parsed = parseSize(text);
  assert(parsed !== null, `the schema has let '${text}' pass as a size`);
  return parsed;
}
