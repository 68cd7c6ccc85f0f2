/**
 * Checks the shape of a configuration against the schema. In: any value (parsed YAML). Out: all
 * problems, and the value with wrong parts replaced by their defaults, so that relations between
 * the sound parts can still be checked. Invariant: the returned value satisfies the schema.
 */
import { Ajv, type AnySchemaObject, type ErrorObject } from 'ajv';
import { assert } from '../../base/assert.ts';
import { formatDuration, formatSize, parseDuration, parseSize } from '../../base/quantity.ts';
import { nearest } from '../../base/spelling.ts';
import type { ConfigPath, ConfigProblem } from '../../model/config.ts';
import { CONFIG_SCHEMA, type RawConfig } from './schema.ts';

export interface Shape {
  readonly raw: RawConfig;
  readonly problems: readonly ConfigProblem[];
  readonly wrong: readonly ConfigPath[];
}

type Parse = (text: string) => number | null;

const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, strictNumbers: true });
for (const [keyword, parse] of [
  ['durationRange', parseDuration],
  ['sizeRange', parseSize],
] as const) {
  ajv.addKeyword({
    keyword,
    type: 'string',
    schemaType: 'array',
    validate: ([low, high]: [string, string], value: string) => inRange(parse, low, high, value),
  });
}
const validate = ajv.compile(CONFIG_SCHEMA as AnySchemaObject);

/** `forever` passes where the pattern lets it; what does not parse is the pattern's problem. */
function inRange(parse: Parse, low: string, high: string, value: string): boolean {
  const parsed = parse(value);
  if (parsed === null || value === 'forever') return true;
  return parsed >= (parse(low) ?? 0) && parsed <= (parse(high) ?? 0);
}

export function checkShape(value: unknown): Shape {
  const input = prepare(CONFIG_SCHEMA as AnySchemaObject, value);
  const errors = validate(input) ? [] : (validate.errors ?? []);
  const found = errors.flatMap((error) => {
    const path = pointerPath(input, error);
    const problem = describe(error, path);
    return problem === null ? [] : [{ problem, path: problem.path }];
  });
  const problems = found.map(({ problem }) => problem);
  const wrong = problems.map((problem) => problem.path);
  let sound = input;
  for (const path of wrong) sound = without(sound, path);
  const raw = fill(CONFIG_SCHEMA as AnySchemaObject, sound);
  assert(validate(raw), `a configuration without its wrong parts is valid: ${validate.errors}`);
  return { raw: raw as RawConfig, problems: unique(problems), wrong };
}

/** A section whose lines are all commented out is null in YAML: it means an empty one. */
function prepare(schema: AnySchemaObject, value: unknown): unknown {
  if (schema.type !== 'object') return value;
  if (value === null || value === undefined) return {};
  if (!isObject(value)) return Array.isArray(value) ? value : scalarOf(value);
  return mapObject(value, (key, member) => prepare(memberSchema(schema, key) ?? {}, member));
}

function fill(schema: AnySchemaObject, value: unknown): unknown {
  if (schema.type !== 'object') return value === undefined ? schema.default : value;
  const given = isObject(value) ? value : {};
  const names = new Set([...Object.keys(schema.properties ?? {}), ...Object.keys(given)]);
  const entries = [...names].map((name) => {
    const own = Object.hasOwn(given, name) ? given[name] : undefined;
    return [name, fill(memberSchema(schema, name) ?? {}, own)] as const;
  });
  return Object.fromEntries(entries.filter(([, member]) => member !== undefined));
}

function memberSchema(schema: AnySchemaObject, name: string): AnySchemaObject | null {
  const properties = schema.properties ?? {};
  if (Object.hasOwn(properties, name)) return properties[name];
  return isObject(schema.additionalProperties) ? schema.additionalProperties : null;
}

function without(value: unknown, path: ConfigPath): unknown {
  if (path.length === 0) return {};
  const [head, ...rest] = path;
  if (!isObject(value) || !Object.hasOwn(value, head)) return value;
  // A list with a wrong entry is dropped as a whole: the places of its other entries stay true.
  if (rest.length > 0 && typeof rest[0] !== 'number') {
    return mapObject(value, (key, member) => (key === head ? without(member, rest) : member));
  }
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== head));
}

/** What YAML tags make (sets, bytes) is no section: shown by its name, it has the wrong type. */
const scalarOf = (value: unknown) => (typeof value === 'object' ? String(value) : value);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function mapObject(value: object, change: (key: string, member: unknown) => unknown) {
  return Object.fromEntries(Object.entries(value).map(([key, m]) => [key, change(key, m)]));
}

// --- what a person reads
// -----------------------------------------------------------------------------
function pointerPath(root: unknown, error: ErrorObject): (string | number)[] {
  let at = root;
  const steps = error.instancePath.split('/').slice(1);
  return steps.map((step) => {
    const name = step.replaceAll('~1', '/').replaceAll('~0', '~');
    const key = Array.isArray(at) ? Number(name) : name;
    at = (at as Record<string | number, unknown>)?.[key];
    return key;
  });
}

function describe(error: ErrorObject, path: ConfigPath): ConfigProblem | null {
  const schema = (error.parentSchema ?? {}) as AnySchemaObject;
  const given = error.data;
  switch (error.keyword) {
    case 'additionalProperties': {
      const name = String(error.params['additionalProperty']);
      const known = Object.keys(schema.properties);
      const near = nearest(name, known) ?? undefined;
      const what = 'is not an option';
      return { path: [...path, name], key: true, what, allowed: known.join(', '), near };
    }
    case 'propertyNames': {
      const name = String(error.params['propertyName']);
      const allowed = schema.propertyNames.what;
      const what = 'is not a valid name';
      return { path: [...path, name], key: true, what, given: name, allowed };
    }
    case 'enum': {
      const near = nearest(String(given), schema.enum) ?? undefined;
      const allowed = schema.enum.join(', ');
      return { path, what: 'is not one of its values', given, allowed, near };
    }
    case 'type': {
      const near = typeof given === 'number' && schema.type === 'string' ? `'${given}'` : undefined;
      return { path, what: `must be ${typeText(schema)}`, given, near };
    }
    default:
      if (error.propertyName !== undefined) return null;
      return { path, ...describeLimit(error, schema), given };
  }
}

function describeLimit(error: ErrorObject, schema: AnySchemaObject) {
  const limit = error.params['limit'];
  switch (error.keyword) {
    case 'minimum':
    case 'maximum': {
      const side = error.keyword === 'minimum' ? 'least' : 'most';
      const what = `must be at ${side} ${limit}`;
      return schema.maximum === undefined ? { what } : { what, allowed: allowedText(schema) };
    }
    case 'exclusiveMinimum':
      return { what: `must be above ${limit}` };
    case 'durationRange':
      return { what: 'is out of range', allowed: rangeText(schema, parseDuration, formatDuration) };
    case 'sizeRange':
      return { what: 'is out of range', allowed: rangeText(schema, parseSize, formatSize) };
    case 'maxItems':
      return { what: `has more than ${limit} entries` };
    case 'minItems':
      return { what: 'must not be empty' };
    case 'minLength':
      return { what: 'must not be empty' };
    case 'maxLength':
      return { what: `is longer than ${limit} characters` };
    default:
      return { what: `must be ${typeText(schema)}` };
  }
}

function rangeText(schema: AnySchemaObject, parse: Parse, format: (n: number) => string): string {
  const range = (schema.durationRange ?? schema.sizeRange) as [string, string];
  const forever = String(schema.pattern).includes('forever');
  const text = range.map((end) => (parse(end) === 0 ? end : format(parse(end) ?? 0))).join(' … ');
  return forever ? `${text}, forever` : text;
}

/** What may be given, in a few words. */
export function allowedText(schema: AnySchemaObject): string {
  if (schema.properties !== undefined) return typeText(schema);
  if (schema.durationRange !== undefined) return rangeText(schema, parseDuration, formatDuration);
  if (schema.sizeRange !== undefined) return rangeText(schema, parseSize, formatSize);
  if (schema.maximum !== undefined) return `${schema.minimum} … ${schema.maximum}`;
  if (schema.minimum !== undefined) return `at least ${schema.minimum}`;
  if (schema.exclusiveMinimum !== undefined) {
    return `a number above ${schema.exclusiveMinimum}${orNull(schema)}`;
  }
  if (schema.type !== 'array' || schema.what !== undefined)
    return `${typeText(schema)}${orNull(schema)}`;
  const most = schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`;
  return `a list of: ${allowedText(schema.items)}${most}`;
}

const orNull = (schema: AnySchemaObject) =>
  [schema.type].flat().includes('null') ? ' or null' : '';

function typeText(schema: AnySchemaObject): string {
  if (schema.what !== undefined) return schema.what;
  if (schema.enum !== undefined) return `one of ${schema.enum.join(', ')}`;
  const types: string[] = [schema.type].flat().filter((type) => type !== 'null');
  return types.map((type) => TYPE_TEXT[type] ?? type).join(' or ');
}

const TYPE_TEXT: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'a section (indented `name: value` lines)',
  array: 'a list',
  string: 'a text',
};

/** One problem per place: a value of the wrong type may violate other keywords too. */
function unique(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const seen = new Set<string>();
  return problems.filter((problem) => {
    const key = JSON.stringify(problem.path);
    return !seen.has(key) && seen.add(key);
  });
}
