/**
 * `npm run fuzz -- <target>|all [--seconds N] [--seed S]`: attacks a decoder with inputs that
 * coverage guides, keeps what reached something new in test/fuzz/corpus/<target>.txt, and ends with
 * 1 and the input when the decoder traps, loops or writes where it must not.
 */
import { assert } from '../../src/base/assert.ts';
import { Search } from './fuzzer.ts';
import { compileDecoders, Harness, readCorpus, writeCorpus } from './harness.ts';
import { TARGETS, type Target } from './target.ts';

const SECONDS_DEFAULT = 60;
const BATCH = 5000;
const PROGRESS_SECONDS = 15;
const PAYLOAD_BYTES_MAX = 4096;

interface Arguments {
  readonly targets: readonly Target[];
  readonly seconds: number;
  readonly seed: number;
}

function readArguments(given: readonly string[]): Arguments | string {
  const [name, ...options] = given;
  const targets = TARGETS.filter((target) => name === 'all' || target.name === name);
  if (targets.length === 0) {
    return `which decoder? all, ${TARGETS.map((target) => target.name).join(', ')}`;
  }
  const numbers = { seconds: SECONDS_DEFAULT, seed: 1 };
  for (let i = 0; i < options.length; i += 2) {
    const option = options[i]!.replace(/^--/, '');
    const value = Number(options[i + 1]);
    const isKnown = option === 'seconds' || option === 'seed';
    if (!isKnown || !Number.isSafeInteger(value) || value < 1) {
      return `${options[i]} ${options[i + 1] ?? ''}: allowed are --seconds N and --seed S, whole numbers from 1`;
    }
    numbers[option] = value;
  }
  return { targets, ...numbers };
}

async function attack(target: Target, { seconds, seed }: Arguments): Promise<boolean> {
  const subject = new Harness(await compileDecoders(), target.plan(), target.aliases);
  const search = new Search({
    subject,
    seeds: [...target.seeds(), ...readCorpus(target.name)],
    words: target.words,
    kinds: target.kinds,
    bytesMax: PAYLOAD_BYTES_MAX,
    seed,
  });
  const begin = performance.now();
  const elapsed = () => (performance.now() - begin) / 1000;
  let told = 0;
  while (search.failure === null && elapsed() < seconds) {
    search.run(BATCH);
    if (elapsed() - told < PROGRESS_SECONDS) continue;
    told = elapsed();
    console.log(describe(target, search, elapsed(), subject.map.length));
  }
  console.log(describe(target, search, elapsed(), subject.map.length));
  writeCorpus(target.name, search.kept);
  if (search.failure === null) return true;
  const { what, kind, input } = search.failure;
  console.error(`${target.name}: ${what}; kind '${kind}', input in base64:`);
  console.error(Buffer.from(input).toString('base64'));
  return false;
}

function describe(target: Target, search: Search, seconds: number, places: number): string {
  return [
    `${target.name}: ${seconds.toFixed(0)} s, ${search.runs} inputs`,
    `${search.reached} of ${places} places reached (all decoders together)`,
    `${search.kept.length} inputs kept`,
    `at most ${search.turnsPerByteMax.toFixed(1)} loop turns per byte`,
  ].join(', ');
}

const given = readArguments(process.argv.slice(2));
if (typeof given === 'string') {
  console.error(given);
  process.exitCode = 2;
} else {
  assert(given.targets.length > 0, 'something to attack');
  for (const target of given.targets) {
    if (await attack(target, given)) continue;
    process.exitCode = 1;
    break;
  }
}
