/** What a message says about a name that there is not. */
import { nearest } from '../../base/spelling.ts';

/** The end of a sentence: 'did you mean …?', or the names that there are. */
export function nameHint(written: string, names: readonly string[]): string {
  const meant = nearest(written, names);
  if (meant !== null) return `did you mean \`${meant}\`?`;
  if (names.length === 0) return 'it has none.';
  const shown = names.slice(0, NAMES_SHOWN).map((name) => `\`${name}\``);
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : '';
  return `it has ${shown.join(', ')}${more}.`;
}

const NAMES_SHOWN = 8;
