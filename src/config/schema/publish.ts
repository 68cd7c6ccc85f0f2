/**
 * Publishes the schema: docs/millrace.schema.json for editors and the option tables of
 * docs/configuration.md for people. Run `npx tsx src/config/schema/publish.ts` after a change; a
 * test compares the files with what this gives. In: CONFIG_SCHEMA. Out: texts.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnySchemaObject } from 'ajv';
import { projectFolder } from '../../base/project.ts';
import { CONFIG_SCHEMA } from './schema.ts';
import { allowedText } from './shape.ts';

export const SCHEMA_FILE = 'docs/millrace.schema.json';
export const GUIDE_FILE = 'docs/configuration.md';
const BEGIN = '<!-- options: begin (written by src/config/schema/publish.ts) -->';
const END = '<!-- options: end -->';

export interface OptionRow {
  /** 'log.id', 'channels.<name>.age.max'. */
  readonly path: string;
  readonly default: string;
  readonly allowed: string;
  readonly description: string;
  readonly zero: string | null;
}

const ROOT = CONFIG_SCHEMA as AnySchemaObject;

// --- for editors ---------------------------------------------------------------------------------
export function schemaText(): string {
  const head = { $schema: 'http://json-schema.org/draft-07/schema#', title: 'millrace.yaml' };
  return `${JSON.stringify({ ...head, ...published(ROOT) }, null, 2)}\n`;
}

/** Our own keywords become words of the description; an empty section may be null, as in YAML. */
function published(schema: AnySchemaObject): AnySchemaObject {
  const { durationRange, sizeRange, what, zero, byDefault, ...standard } = schema;
  if (schema.type === 'object') {
    return {
      ...standard,
      type: ['object', 'null'],
      ...(schema.propertyNames && { propertyNames: { pattern: schema.propertyNames.pattern } }),
      ...(schema.properties && { properties: mapValues(schema.properties, published) }),
      ...(typeof schema.additionalProperties === 'object' && {
        additionalProperties: published(schema.additionalProperties),
      }),
    };
  }
  const row = rowOf([], schema);
  const notes = [`Default: ${row.default}.`, `Allowed: ${row.allowed}.`];
  if (row.zero !== null) notes.push(`0: ${row.zero}.`);
  return {
    ...standard,
    ...(schema.type === 'array' && { items: published(schema.items) }),
    ...(schema.properties && { properties: mapValues(schema.properties, published) }),
    ...(what !== undefined && schema.pattern && { patternErrorMessage: `must be ${what}` }),
    description: `${schema.description ?? ''} ${notes.join(' ')}`.trim(),
  };
}

function mapValues<T, U>(object: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

// --- for people ----------------------------------------------------------------------------------
export function optionRows(): OptionRow[] {
  return rowsOf([], ROOT);
}

function rowsOf(path: readonly string[], schema: AnySchemaObject): OptionRow[] {
  if (schema.type === 'array' && schema.items.properties !== undefined) {
    return [rowOf(path, schema), ...rowsOf([...path, '<n>'], { ...schema.items, type: 'object' })];
  }
  if (schema.type !== 'object') return [rowOf(path, schema)];
  const rows = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    rowsOf([...path, name], member as AnySchemaObject),
  );
  if (typeof schema.additionalProperties !== 'object') return rows;
  return [...rows, ...rowsOf([...path, '<name>'], schema.additionalProperties)];
}

function rowOf(path: readonly string[], schema: AnySchemaObject): OptionRow {
  const fixed = schema.default === undefined ? undefined : JSON.stringify(schema.default);
  return {
    path: path.join('.'),
    default: fixed?.replaceAll('"', '') || schema.byDefault || (fixed === undefined ? '–' : '""'),
    allowed: allowedText(schema),
    description: schema.description ?? '',
    zero: schema.zero ?? null,
  };
}

export function optionTables(): string {
  const groups = new Map<string, OptionRow[]>();
  for (const row of optionRows()) {
    const section = row.path.split('.')[0];
    groups.set(section, [...(groups.get(section) ?? []), row]);
  }
  return [...groups].map(([section, rows]) => table(section, rows)).join('\n\n');
}

function table(section: string, rows: readonly OptionRow[]): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  const lines = rows.map(({ path, description, zero, ...row }) => {
    const what = zero === null ? description : `${description} 0: ${zero}.`;
    return `| \`${path}\` | ${cell(row.default)} | ${cell(row.allowed)} | ${cell(what)} |`;
  });
  const about = ROOT.properties[section].description;
  const head = ['| option | default | allowed | what |', '|---|---|---|---|'];
  return [`### ${section}`, '', about, '', ...head, ...lines].join('\n');
}

/** The guide with its tables replaced; the words around them are written by hand. */
export function guideText(current: string): string {
  const [before, rest] = current.split(BEGIN);
  const after = rest?.split(END)[1] ?? '\n';
  return `${before}${BEGIN}\n\n${optionTables()}\n\n${END}${after}`;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const at = (file: string) => join(projectFolder(), file);
  writeFileSync(at(SCHEMA_FILE), schemaText());
  writeFileSync(at(GUIDE_FILE), guideText(readFileSync(at(GUIDE_FILE), 'utf8')));
}
