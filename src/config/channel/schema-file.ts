/**
 * Reads the files that channels name as their schema, relative to the configuration that names
 * them. In: the raw shape, and where each option stands. Out: texts by channel, problems of what
 * cannot be read. What the texts say is the registry's to judge.
 */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigPath, ConfigProblem, LocateProblem } from '../../model/config.ts';
import type { RawConfig } from '../schema/schema.ts';

/** A plan fits a log message of 64 KiB; what it is compiled from may be some times larger. */
const FILE_BYTES_MAX = 1024 * 1024;

export interface SchemaText {
  readonly file: string;
  readonly text: string;
}

export interface SchemaFiles {
  readonly texts: ReadonlyMap<string, SchemaText>;
  readonly problems: readonly ConfigProblem[];
}

export function readSchemaFiles(raw: RawConfig, locate: LocateProblem): SchemaFiles {
  const texts = new Map<string, SchemaText>();
  const problems: ConfigProblem[] = [];
  for (const [name, channel] of Object.entries(raw.channels)) {
    const given = channel.schema.file;
    if (given === undefined) continue;
    const path: ConfigPath = ['channels', name, 'schema', 'file'];
    const { file: named } = locate({ path, what: '' });
    const file = resolve(named === '' ? '.' : dirname(named), given);
    const read = readSchema(file);
    if ('text' in read) texts.set(name, { file, text: read.text });
    else problems.push({ path, what: read.what, given });
  }
  return { texts, problems };
}

function readSchema(file: string): { text: string } | { what: string } {
  try {
    const found = statSync(file);
    if (!found.isFile()) return { what: `cannot be read: ${file} is no file` };
    if (found.size > FILE_BYTES_MAX) return { what: `is larger than ${FILE_BYTES_MAX} bytes` };
    return { text: readFileSync(file, 'utf8') };
  } catch (error) {
    return { what: `cannot be read: ${(error as Error).message}` };
  }
}
