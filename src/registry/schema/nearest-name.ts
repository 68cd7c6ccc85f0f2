/** Which of the names that there are was probably meant. Out: '' when none is near. */
export function nearestName(written: string, names: readonly string[]): string {
  // A third of a name may be wrong: 'sped' means 'speed', 'rpm' does not mean 'temp'.
  const farthest = Math.max(1, Math.floor(written.length / 3));
  let best = '';
  let least = farthest + 1;
  for (const name of names) {
    const steps = distance(written.toLowerCase(), name.toLowerCase());
    if (steps < least) {
      least = steps;
      best = name;
    }
  }
  return best;
}

/** The end of a sentence: 'did you mean …?', or the names that there are. */
export function nameHint(written: string, names: readonly string[]): string {
  const nearest = nearestName(written, names);
  if (nearest !== '') return `did you mean \`${nearest}\`?`;
  if (names.length === 0) return 'it has none.';
  const shown = names.slice(0, NAMES_SHOWN).map((name) => `\`${name}\``);
  const more = names.length > NAMES_SHOWN ? ` and ${names.length - NAMES_SHOWN} more` : '';
  return `it has ${shown.join(', ')}${more}.`;
}

const NAMES_SHOWN = 8;

/** Letters to insert, delete or replace (Levenshtein). */
function distance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, i) => i);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}
