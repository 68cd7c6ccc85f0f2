/**
 * `npm run simulate -- [--seeds N] [--seed S] [--mutant NAME] [--trace]`: runs N seeds from S on,
 * and ends with 1 and the first seed that fails. The same seed gives the same run, event by event.
 */

import { START_MS } from './clock.ts';
import { simulate } from './house.ts';
import { MUTANTS } from './mutant.ts';
import { drawScenario } from './scenario.ts';
import { INTERVAL_MS, runSeeds } from './seeds.ts';

const SEEDS_DEFAULT = 1_000;

interface Arguments {
  seeds: number;
  seed: number;
  mutant: string;
  trace: boolean;
}

function readArguments(given: readonly string[]): Arguments | string {
  const read: Arguments = { seeds: SEEDS_DEFAULT, seed: 1, mutant: '', trace: false };
  for (let at = 0; at < given.length; at += 1) {
    const option = given[at]!;
    if (option === '--trace') read.trace = true;
    else if (option === '--mutant') read.mutant = given[++at] ?? '';
    else if (option === '--seeds' || option === '--seed') {
      const value = Number(given[++at]);
      if (!Number.isSafeInteger(value) || value < 1) return `${option}: a whole number from 1`;
      read[option.slice(2) as 'seeds' | 'seed'] = value;
    } else return `${option}: allowed are --seeds N, --seed S, --mutant NAME, --trace`;
  }
  const isKnown = read.mutant === '' || MUTANTS.some(({ name }) => name === read.mutant);
  if (!isKnown) return `which mutant? ${MUTANTS.map(({ name }) => name).join(', ')}`;
  return read;
}

async function trace(seed: number, mutant: string): Promise<string | null> {
  const found = MUTANTS.find(({ name }) => name === mutant);
  const scenario = found?.tune(drawScenario(seed)) ?? drawScenario(seed);
  console.log(JSON.stringify(scenario, null, 1));
  const { violation } = await simulate(scenario, found?.mutation, ({ scheduler }) => {
    scheduler.trace = (line) => {
      const atMs = scheduler.nowMs.toFixed(1).padStart(9);
      console.log(`${atMs} ${line().replaceAll(`${START_MS}`.slice(0, 7), '…')}`);
    };
  });
  return violation;
}

const given = readArguments(process.argv.slice(2));
if (typeof given === 'string') {
  console.error(given);
  process.exitCode = 2;
} else if (given.trace) {
  const violation = await trace(given.seed, given.mutant);
  console.log(violation ?? 'all is well');
  process.exitCode = violation ? 1 : 0;
} else {
  const { seeds, seed, mutant } = given;
  const say = (line: string) => console.log(line);
  const found = await runSeeds({ seeds, first: seed, mutant, say, intervalMs: INTERVAL_MS });
  if (found.violation) {
    console.error(`seed ${found.seed}: ${found.violation}`);
    const option = mutant ? ` --mutant ${mutant}` : '';
    console.error(`npm run simulate -- --seed ${found.seed}${option} --trace`);
    process.exitCode = 1;
  }
}
