/**
 * A profile of this process's processor: which functions, JavaScript and WASM, its main thread was
 * in, once a millisecond. In: a file. Out: the file as V8 writes it (`.cpuprofile`: Chrome's
 * DevTools and speedscope open it) and the costliest functions for whoever has no viewer. Turns in
 * worker threads (`kernel.workers`) are not in it.
 */
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { Session } from 'node:inspector/promises';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { OperatingError } from '../../model/error.ts';

const SAMPLE_MICROS = 1_000;
/** Then it is written, whatever goes on: a sample takes some 20 bytes of memory and of the file. */
const PROFILE_MS_MAX = 600_000;
const FUNCTIONS_SHOWN = 10;

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: {
      readonly functionName: string;
      readonly url: string;
      readonly lineNumber: number;
    };
  }[];
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

export interface Cost {
  /** As in `fold wire/chunk.js:12`; WASM has numbers instead of names. */
  readonly name: string;
  readonly milliseconds: number;
  /** Of the time that was not idle, 0 to 1. */
  readonly share: number;
}

export interface Profiling {
  readonly file: string;
  start(): Promise<void>;
  /** Writes the file, once; what it found. */
  save(): Promise<readonly Cost[]>;
}

/** INPUT_INVALID when the file cannot be written: before anything is started. */
export function openProfile(file: string, clock: Clock): Profiling {
  const path = resolve(file);
  try {
    closeSync(openSync(path, 'w'));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new OperatingError('INPUT_INVALID', `--profile ${file}: cannot be written (${why})`, {
      cause,
      where: { file: path },
    });
  }
  const session = new Session();
  const over = new AbortController();
  let saved: Promise<readonly Cost[]> | null = null;
  const save = async (): Promise<readonly Cost[]> => {
    over.abort();
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    writeFileSync(path, JSON.stringify(profile));
    return costliest(profile, FUNCTIONS_SHOWN);
  };
  const profiling: Profiling = {
    file: path,
    async start() {
      session.connect();
      await session.post('Profiler.enable');
      await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
      await session.post('Profiler.start');
      void clock.wait(PROFILE_MS_MAX, over.signal).then(profiling.save, () => {});
    },
    save() {
      saved ??= save();
      return saved;
    },
  };
  return profiling;
}

/** By the time in the function itself, without what it calls; the most first. */
export function costliest(profile: CpuProfile, count: number): Cost[] {
  const { nodes, samples = [], timeDeltas = [] } = profile;
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const micros = new Map<string, number>();
  samples.forEach((id, index) => {
    const name = names.get(id) ?? '';
    micros.set(name, (micros.get(name) ?? 0) + (timeDeltas[index] ?? 0));
  });
  micros.delete('(idle)');
  const busy = [...micros.values()].reduce((sum, each) => sum + each, 0);
  return [...micros]
    .sort(([, left], [, right]) => right - left)
    .slice(0, count)
    .map(([name, each]) => ({ name, milliseconds: each / 1000, share: each / busy }));
}

/** The last two parts of a path tell files apart well enough. */
function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']) {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  return `${name} ${url.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
}

export function costText({ name, milliseconds, share }: Cost): string {
  const percent = `${(share * 100).toFixed(1)} %`;
  return `${percent.padStart(7)} ${`${Math.round(milliseconds)} ms`.padStart(10)}  ${name}`;
}
