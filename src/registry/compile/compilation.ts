/** What the parts of a compilation share: the configuration, and the problems found so far. */
import type { Config, ConfigProblem } from '../../model/config.ts';

export interface Compilation {
  readonly config: Config;
  readonly problems: ConfigProblem[];
}

/** Those of before keep their places, retired when they are no longer declared; new ones follow. */
export function inPlaces<T extends { readonly name: string }, D extends { readonly name: string }>(
  earlier: readonly T[],
  declared: readonly D[],
  { retire, compile }: { retire(gone: T): T; compile(own: D, place: number, before?: T): T },
): T[] {
  const kept = earlier.map((before, place) => {
    const own = declared.find(({ name }) => name === before.name);
    return own === undefined ? retire(before) : compile(own, place, before);
  });
  const fresh = declared.filter(({ name }) => !earlier.some((before) => before.name === name));
  return [...kept, ...fresh.map((own, index) => compile(own, kept.length + index))];
}
