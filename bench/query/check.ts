/** Compares a query's answer with the one computed without SQL. Throws where they differ. */
import type { ANSWERS } from './answer.ts';
import type { Answer } from './timing.ts';

type Expected = ReturnType<(typeof ANSWERS)[string]>;

/** Sums of other orders; both sides are rounded to three digits where there are sums. */
const TOLERANCE = 1e-9;

export function checkAnswer(name: string, answer: Answer, expected: Expected): void {
  const wrong = (what: string): Error => new Error(`${name}: ${what}`);
  if (expected.length === 0) throw wrong('nothing to be found: the bench would prove nothing');
  if (answer.length !== expected.length) {
    throw wrong(`${answer.length} rows, computed without SQL ${expected.length}`);
  }
  for (const [index, row] of expected.entries()) {
    const found = answer[index]!;
    const isSame = Object.entries(row).every(([key, value]) =>
      typeof value === 'number'
        ? Math.abs(Number(found[key]) - value) <= TOLERANCE
        : found[key] === value,
    );
    if (!isSame || Object.keys(found).length !== Object.keys(row).length) {
      const texts = [found, row].map((each) => JSON.stringify(each));
      throw wrong(`row ${index} is ${texts[0]}, computed without SQL ${texts[1]}`);
    }
  }
}
