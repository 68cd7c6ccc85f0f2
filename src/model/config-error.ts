/**
 * CONFIG_INVALID, made at two places: the config room (shape, relations) and the registry (units,
 * what earlier plans forbid). In: problems with their places. Out: one error that lists all of
 * them.
 */
import type { LocatedProblem } from './config.ts';
import { isOperatingError, OperatingError } from './error.ts';

class ProblemList extends Error {
  override name = 'ProblemList';
  readonly problems: readonly LocatedProblem[];

  constructor(problems: readonly LocatedProblem[]) {
    super(`${problems.length} problems`);
    this.problems = problems;
  }
}

export function configInvalid(problems: readonly LocatedProblem[]): OperatingError {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.map((problem) => `\n  ${problem.text}`).join('');
  return new OperatingError('CONFIG_INVALID', `the configuration has ${count}:${lines}`, {
    cause: new ProblemList(problems),
    where: { problems: problems.length },
  });
}

/** The problems behind a CONFIG_INVALID error, in the order of the file; else none. */
export function configProblems(error: unknown): readonly LocatedProblem[] {
  if (!isOperatingError(error, 'CONFIG_INVALID')) return [];
  return error.cause instanceof ProblemList ? error.cause.problems : [];
}
