/**
 * The files of a configuration: read, parsed, laid over each other. In: paths, first the base, then
 * overlays (later ones win; maps are merged, lists replaced). Out: one value, problems of syntax,
 * and the place (file, line, column) of any option: that of the last file which says something
 * about it.
 */
import { readFileSync } from 'node:fs';
import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import {
  type ConfigPath,
  type ConfigProblem,
  describeProblem,
  type LocatedProblem,
  pathText,
} from '../model/config.ts';

/** Far more than a configuration of 256 channels needs; a larger file is a mistake. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;
/** Against a few lines of aliases that unfold to gigabytes. */
const ALIASES_MAX = 1000;

interface Place {
  readonly line: number;
  readonly column: number;
}

interface Source {
  readonly file: string;
  readonly value: unknown;
  readonly problems: readonly LocatedProblem[];
  /** Place of the longest part of the path that the file has, and the length of that part. */
  find(problem: ConfigProblem): Place & { readonly depth: number };
}

export interface DocumentSet {
  readonly value: unknown;
  readonly problems: readonly LocatedProblem[];
  locate(problem: ConfigProblem): LocatedProblem;
}

export function readDocuments(files: readonly string[]): DocumentSet {
  const sources = files.map(readSource);
  return {
    value: sources.map((source) => source.value).reduce(merge, {}),
    problems: sources.flatMap((source) => source.problems),
    locate: (problem) => {
      const found = sources.map((source) => ({ file: source.file, ...source.find(problem) }));
      const best = found.reduce<(typeof found)[number] | null>(
        (left, right) => (left === null || right.depth >= left.depth ? right : left),
        null,
      );
      return place(problem, best ?? { file: '', line: 0, column: 0 });
    },
  };
}

export function place(problem: ConfigProblem, at: Place & { file: string }): LocatedProblem {
  const path = pathText(problem.path);
  const message = describeProblem(problem);
  const where = at.line === 0 ? at.file : `${at.file}:${at.line}:${at.column}`;
  const text = [where, path, message].filter((part) => part !== '').join(': ');
  return { file: at.file, line: at.line, column: at.column, path, message, text };
}

function readSource(file: string): Source {
  const lines = new LineCounter();
  const nothing = { line: 0, column: 0, depth: 0 };
  const failed = (what: string): Source => ({
    file,
    value: {},
    problems: [place({ path: [], what }, { file, line: 0, column: 0 })],
    find: () => nothing,
  });
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return failed(`cannot be read: ${(error as Error).message}`);
  }
  if (text.length > FILE_BYTES_MAX) return failed(`is larger than ${FILE_BYTES_MAX} bytes`);
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const problems = document.errors.map((error) =>
    place({ path: [], what: `YAML: ${error.message}` }, { file, ...at(error.pos[0]) }),
  );
  const find = ({ path, key }: ConfigProblem) => {
    const { offset, depth } = findNode(document, path, key === true);
    return { ...at(offset), depth };
  };
  try {
    return { file, value: document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {}, problems, find };
  } catch (error) {
    const what = `YAML: ${(error as Error).message}`;
    return {
      file,
      value: {},
      problems: [...problems, place({ path: [], what }, { file, ...at(0) })],
      find,
    };
  }
}

/** The value's place; the key's where the value is empty or only the key is found. */
function findNode(document: Document.Parsed, path: ConfigPath, wantsKey: boolean) {
  let node: Node | null | undefined = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    if (isSeq(node) && typeof step === 'number') {
      node = node.items[step] as Node | undefined;
    } else if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
      );
      if (pair === undefined) return { offset, depth };
      const key = pair.key as Node;
      offset = key.range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else {
      return { offset, depth };
    }
    if (node === undefined) return { offset, depth };
    const last = depth === path.length - 1;
    if (last && wantsKey) break;
    const scalar = isScalar(node) && node.value !== null;
    if (node?.range && (isAlias(node) || scalar || (last && !isMap(node)))) offset = node.range[0];
    else if (node?.range && typeof step === 'number') offset = node.range[0];
  }
  return { offset, depth: path.length };
}

function merge(base: unknown, over: unknown): unknown {
  if (!isMergeable(base) || !isMergeable(over)) return over;
  const names = new Set([...Object.keys(base), ...Object.keys(over)]);
  const entries = [...names].map((name) => {
    if (!Object.hasOwn(over, name)) return [name, base[name]] as const;
    return [name, Object.hasOwn(base, name) ? merge(base[name], over[name]) : over[name]] as const;
  });
  return Object.fromEntries(entries);
}

const isMergeable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
