/**
 * Options set by environment variables: MILLRACE_<SECTION>_<OPTION> for every option outside
 * `metrics` and `channels`, e.g. nats.websocketPort ← MILLRACE_NATS_WEBSOCKET_PORT. They win over
 * every file. In: variables. Out: the value laid over the files', the variable behind an option,
 * warnings.
 */

import { nearest } from '../base/spelling.ts';
import type { ConfigPath } from '../model/config.ts';
import { CONFIG_SCHEMA } from './schema/schema.ts';

const PREFIX = 'MILLRACE_';

interface Option {
  readonly path: readonly [string, string];
  readonly type: string;
}

interface Described {
  readonly type: string | readonly string[];
  readonly properties?: Readonly<Record<string, Described>>;
}

/** Variable → option, from the schema. */
export const OVERRIDES: ReadonlyMap<string, Option> = new Map(
  Object.entries((CONFIG_SCHEMA as unknown as Described).properties ?? {}).flatMap(
    ([section, schema]) =>
      Object.entries(schema.properties ?? {}).map(([option, { type }]) => [
        `${PREFIX}${constantCase(section)}_${constantCase(option)}`,
        { path: [section, option] as const, type: [type].flat()[0] },
      ]),
  ),
);

export type Variables = Readonly<Record<string, string | undefined>>;

export interface Overrides {
  readonly entries: readonly { readonly path: Option['path']; readonly value: unknown }[];
  readonly warnings: readonly string[];
  /** Name of the variable that set the option (or a part of it), else null. */
  variableOf(path: ConfigPath): string | null;
}

/** An empty variable counts as absent. Names close to an option's give a warning. */
export function readOverrides(variables: Variables, known: readonly string[]): Overrides {
  const set = Object.entries(variables).filter(
    (pair): pair is [string, string] => pair[0].startsWith(PREFIX) && Boolean(pair[1]),
  );
  const chosen = new Map(set.filter(([name]) => OVERRIDES.has(name)));
  const entries = [...chosen].map(([name, text]) => {
    const { path, type } = OVERRIDES.get(name)!;
    return { path, value: parseText(text, type) };
  });
  const warnings = set
    .filter(([name]) => !OVERRIDES.has(name) && !known.includes(name))
    .flatMap(([name]) => {
      const near = nearest(name.slice(PREFIX.length), unprefixed());
      return near === null
        ? []
        : [`environment variable ${name} is not used (did you mean ${PREFIX}${near}?)`];
    });
  const variableOf = ([section, option]: ConfigPath) =>
    [...chosen.keys()].find((name) => {
      const [ownSection, ownOption] = OVERRIDES.get(name)!.path;
      return ownSection === section && ownOption === option;
    }) ?? null;
  return { entries, warnings, variableOf };
}

const unprefixed = () => [...OVERRIDES.keys()].map((name) => name.slice(PREFIX.length));

/** What cannot be read stays a text: the shape check then says what is expected. */
function parseText(text: string, type: string): unknown {
  if (type === 'integer' && /^-?[0-9]{1,15}$/.test(text)) return Number(text);
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  if (type === 'array') return text.split(',').map((part) => part.trim());
  return text;
}

function constantCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
