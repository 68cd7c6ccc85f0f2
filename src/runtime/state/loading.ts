/**
 * Loads the objects of a checkpoint while the kernel applies those before. In: their names, in
 * order. Out: their bytes, in order. At most OBJECTS_AHEAD of a partition are in memory at once.
 */
const OBJECTS_AHEAD = 8;

export async function* loadAhead(
  names: readonly string[],
  load: (name: string) => Promise<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const ahead: Promise<Uint8Array>[] = [];
  for (let next = 0; next < names.length || ahead.length > 0; ) {
    while (next < names.length && ahead.length < OBJECTS_AHEAD) {
      const loading = load(names[next++]!);
      loading.catch(() => {}); // told when its turn comes, which it may never after another failed
      ahead.push(loading);
    }
    yield await ahead.shift()!;
  }
}
