/**
 * Loads the configuration. In: a file, overlays, the process's variables. Out: a frozen Config, or
 * CONFIG_INVALID with every problem at once, in the order of the files' lines.
 *
 *   files ─parse─► value ◄─ variables
 *                   └─shape─► raw, problems ─normalize─► Config ─relations─► problems
 *                              └─schema files─► texts ─┘
 */
import type {
  Config,
  ConfigPath,
  ConfigProblem,
  LocatedProblem,
  LocateProblem,
} from '../model/config.ts';
import { configInvalid } from '../model/config-error.ts';
import { readSchemaFiles } from './channel/schema-file.ts';
import { place, readDocuments } from './document.ts';
import { KNOWN_VARIABLES } from './environment.ts';
import { normalize } from './normal.ts';
import { readOverrides, type Variables } from './override.ts';
import { checkRelations } from './relation.ts';
import { checkShape } from './schema/shape.ts';

export interface LoadOptions {
  /** Absent: defaults, overlays and environment alone. */
  readonly file?: string;
  /** Laid over the file in this order: maps merge, everything else is replaced. */
  readonly overlays?: readonly string[];
  /** Usually `environment.variables`. */
  readonly environment?: Variables;
  /** Checks of other rooms (units: the registry's `checkUnits`), reported with the others. */
  readonly checks?: readonly ((config: Config) => readonly ConfigProblem[])[];
}

export interface LoadedConfig {
  readonly config: Config;
  readonly files: readonly string[];
  /** Worth a look, but not wrong. */
  readonly warnings: readonly string[];
  /** For problems that show later, e.g. against an earlier plan. */
  readonly locate: LocateProblem;
}

export function loadConfig(options: LoadOptions = {}): LoadedConfig {
  const files = [options.file, ...(options.overlays ?? [])].filter((file) => file !== undefined);
  const documents = readDocuments(files);
  const overrides = readOverrides(options.environment ?? {}, KNOWN_VARIABLES);
  const locate: LocateProblem = (problem) => {
    const variable = overrides.variableOf(problem.path);
    if (variable === null) return documents.locate(problem);
    return place(problem, { file: `environment variable ${variable}`, line: 0, column: 0 });
  };
  const value = overrides.entries.reduce(setOption, documents.value);
  const { raw, problems: shapeProblems, wrong } = checkShape(value);
  const schemas = readSchemaFiles(raw, locate);
  const config = normalize(raw, schemas.texts);
  const relations = [
    ...schemas.problems,
    ...checkRelations(raw, config),
    ...(options.checks ?? []).flatMap((check) => check(config)),
  ].filter((problem) => !isMoot(problem, wrong));
  const located = [...documents.problems, ...[...shapeProblems, ...relations].map(locate)];
  if (located.length > 0) throw configInvalid(inOrder(located, files));
  return { config, files, warnings: overrides.warnings, locate };
}

function setOption(value: unknown, entry: { path: ConfigPath; value: unknown }): unknown {
  const [name, ...rest] = entry.path;
  const members = isObject(value) ? value : {};
  const own = Object.hasOwn(members, name) ? members[name] : undefined;
  const member = rest.length === 0 ? entry.value : setOption(own, { ...entry, path: rest });
  return { ...members, [name]: member };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a problem speaks of, or compares with, is itself wrong and already reported. */
function isMoot(problem: ConfigProblem, wrong: readonly ConfigPath[]): boolean {
  const touched = [problem.path, ...(problem.with ?? [])];
  return touched.some((path) =>
    wrong.some((other) => {
      const length = Math.min(path.length, other.length);
      return other.slice(0, length).every((step, index) => step === path[index]);
    }),
  );
}

function inOrder(problems: readonly LocatedProblem[], files: readonly string[]) {
  const rank = ({ file }: LocatedProblem) => (files.includes(file) ? files.indexOf(file) : -1);
  return [...problems].sort(
    (left, right) =>
      rank(left) - rank(right) || left.line - right.line || left.column - right.column,
  );
}
