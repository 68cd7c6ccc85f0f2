/**
 * An Avro schema (.avsc) for a channel. In: its text, and the paths that must lead somewhere in it.
 * Out: the schema as a plan holds it, or every problem found. avsc says what a schema is; that a
 * path leads to something of its kind, and that logical types agree with the time's format, is
 * checked here.
 */
import avro, { type Type, type types } from 'avsc';
import { JSON_DEPTH_MAX } from '../../model/limit.ts';
import type { TimeFormat, ValueKind } from '../../model/plan.ts';
import type { AvroNode, AvroSchema, AvroType } from '../../model/plan-schema.ts';
import {
  describe,
  follow,
  isUnion,
  LOGICAL_TYPES,
  type Place,
  settle,
  withArticle,
} from './avro-path.ts';
import type { SchemaProblem, SchemaUse, SchemaVerdict } from './schema-use.ts';

/** What each kind of metric is read from. */
const KIND_TYPES = {
  number: ['int', 'long', 'float', 'double'],
  integer: ['int', 'long'],
  boolean: ['boolean'],
  text: ['string', 'enum'],
} as const satisfies Record<ValueKind, readonly AvroType[]>;
const UNITS: Readonly<Record<string, TimeFormat>> = { millis: 'ms', micros: 'us', nanos: 'ns' };

export function compileAvroSchema(
  source: { readonly text: string; readonly file: string },
  channel: SchemaUse,
): SchemaVerdict<AvroSchema> {
  const root = parse(source);
  if ('what' in root) return { problems: [{ path: 'schema', what: root.what }] };
  const nodes = nodesOf(root.type);
  if (!canEnd(nodes)) {
    const what = `${source.file}: a record contains itself without a union, array or map between`;
    return { problems: [{ path: 'schema', what: `${what}, so no value of it ever ends.` }] };
  }
  const problems = new Paths(root.type, channel).check();
  return problems.length > 0 ? { problems } : { schema: { kind: 'avro', nodes } };
}

function parse({
  text,
  file,
}: {
  readonly text: string;
  readonly file: string;
}): { readonly type: Type } | { readonly what: string } {
  let schema: avro.Schema;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    return { what: `${file} is not JSON: ${(error as Error).message}.` };
  }
  try {
    const options = { wrapUnions: true, logicalTypes: LOGICAL_TYPES };
    return { type: avro.Type.forSchema(schema, options) };
  } catch (error) {
    return { what: `${file} is not an Avro schema: ${(error as Error).message}.` };
  }
}

/** Judges the paths of a channel, each for what it is to lead to. */
class Paths {
  readonly #root: Type;
  readonly #use: SchemaUse;
  readonly #problems: SchemaProblem[] = [];

  constructor(root: Type, use: SchemaUse) {
    this.#root = root;
    this.#use = use;
  }

  check(): readonly SchemaProblem[] {
    const { samplesPath, timeOf, timePath, eventIdPath, metrics } = this.#use;
    const sample = samplesPath.length === 0 ? this.#root : this.#element();
    const inSample = samplesPath.length === 0 ? 0 : samplesPath.length + 1;
    const root = "the schema's root";
    const element = inSample === 0 ? root : 'an element of `samples`';
    const find = (part: Omit<SchemaProblem, 'what'>, path: readonly string[], ofRecord: boolean) =>
      this.#find(part, path, {
        from: ofRecord ? this.#root : sample,
        said: ofRecord ? root : element,
        depth: ofRecord ? 0 : inSample,
      });
    if (timePath.length > 0) {
      const place = find({ path: 'time' }, timePath, timeOf === 'record');
      if (place !== null) this.#time(place, timePath);
    }
    if (eventIdPath.length > 0) {
      const place = find({ path: 'eventId' }, eventIdPath, true);
      if (place !== null && !['string', 'int', 'long'].includes(place.type.typeName)) {
        const what = `${name(eventIdPath)} is ${describe(place.type)}`;
        this.#add({ path: 'eventId' }, `${what}; an event id is read from a string, int or long.`);
      }
    }
    for (const metric of metrics) {
      const part = { path: 'metrics', metric: metric.name } as const;
      const place = find(part, metric.path, false);
      if (place !== null) this.#metric(part, metric, place);
    }
    return this.#problems;
  }

  #add(part: Omit<SchemaProblem, 'what'>, what: string): void {
    this.#problems.push({ ...part, what });
  }

  /** The place, or null when there is none and that was said. */
  #find(
    part: Omit<SchemaProblem, 'what'>,
    path: readonly string[],
    { from, said, depth }: { from: Type | null; said: string; depth: number },
  ): Place | null {
    if (from === null) return null;
    if (depth + path.length > JSON_DEPTH_MAX) {
      this.#add(part, `${name(path)} is deeper than ${JSON_DEPTH_MAX} records and maps.`);
      return null;
    }
    const found = follow(from, path, said);
    if ('place' in found) return found.place;
    this.#add(part, `${name(path)} leads nowhere: ${found.what}`);
    return null;
  }

  /** The type of the samples: a record or map; null when there is none. */
  #element(): Type | null {
    const { samplesPath } = this.#use;
    const from = { from: this.#root, said: "the schema's root", depth: 0 };
    const place = this.#find({ path: 'samples' }, samplesPath, from);
    if (place === null) return null;
    if (place.type.typeName !== 'array') {
      const what = `${name(samplesPath)} is ${describe(place.type)}`;
      this.#add({ path: 'samples' }, `${what}; samples are read from an array.`);
      return null;
    }
    const { type } = settle((place.type as types.ArrayType).itemsType);
    if (type.typeName === 'record' || type.typeName === 'map') return type;
    const what = `${name(samplesPath)} is an array whose items are ${describe(type)}`;
    this.#add({ path: 'samples' }, `${what}; samples are records or maps.`);
    return null;
  }

  #metric(
    part: Omit<SchemaProblem, 'what'>,
    { kind, path }: { readonly kind: ValueKind; readonly path: readonly string[] },
    { type, logical }: Place,
  ): void {
    const allowed: readonly string[] = KIND_TYPES[kind];
    if (allowed.includes(type.typeName)) return;
    const other = Object.entries(KIND_TYPES).find(([, each]) =>
      (each as readonly string[]).includes(type.typeName),
    );
    const hint =
      logical === 'decimal'
        ? ' Decimals are passed over, not read; send a double.'
        : other !== undefined
          ? ` Declare it as \`${other[0]}\` instead.`
          : '';
    const is = logical === 'decimal' ? 'a decimal' : describe(type);
    const what = `${name(path)} is ${is}; ${withArticle(kind)} is read from ${list(allowed)}.`;
    this.#add(part, what + hint);
  }

  #time({ type, logical }: Place, path: readonly string[]): void {
    const { timeFormat } = this.#use;
    const what = this.#timeProblem(type.typeName, logical, timeFormat);
    if (what !== '') this.#add({ path: 'time' }, `${name(path)} ${what}.`);
  }

  #timeProblem(type: string, logical: string, format: TimeFormat): string {
    const unit = UNITS[logical.slice(logical.lastIndexOf('-') + 1)];
    if (logical.startsWith('local-')) {
      return `is ${logical}, a time of an unknown zone; send UTC as timestamp-${logical.slice(16)}`;
    }
    if (logical === 'date' || logical.startsWith('time-')) {
      return `is ${logical}, not an instant; a time is read from a timestamp or a string`;
    }
    if (logical.startsWith('timestamp-') && unit !== format) {
      return `is ${logical}, but the time's format is \`${format}\`; declare \`${unit}\``;
    }
    if (type === 'string') return '';
    if (type !== 'long' && type !== 'int') {
      return `is of type ${type}; a time is read from a long or a string`;
    }
    if (format === 'iso8601') {
      return `is of type ${type}, but the time's format is \`iso8601\`, which is read from a string`;
    }
    if (type === 'int' && format !== 's') {
      return `is of type int, which holds no time in \`${format}\`: only seconds fit; send a long`;
    }
    return '';
  }
}

const name = (path: readonly string[]): string => `\`${path.join('.')}\``;

function list(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

// --- the schema as a plan holds it --------------------------------------------------------------
/** Root first; every named type and every primitive once. */
function nodesOf(root: Type): readonly AvroNode[] {
  const nodes: AvroNode[] = [];
  const known = new Map<Type | string, number>();
  const add = (given: Type): number => {
    const type = withoutLogical(given);
    const key = type.name === undefined && !isContainer(type) ? type.typeName : type;
    const before = known.get(key);
    if (before !== undefined) return before;
    const index = nodes.length;
    known.set(key, index);
    const node = {
      type: typeOf(type),
      names: namesOf(type),
      of: [] as number[],
      size: sizeOf(type),
    };
    nodes.push(node);
    for (const inner of innerOf(type)) node.of.push(add(inner));
    return index;
  };
  add(root);
  return nodes;
}

function withoutLogical(type: Type): Type {
  return type.typeName.startsWith('logical:')
    ? withoutLogical((type as types.LogicalType).underlyingType)
    : type;
}

const isContainer = (type: Type): boolean =>
  isUnion(type) || type.typeName === 'array' || type.typeName === 'map';
const typeOf = (type: Type): AvroType => (isUnion(type) ? 'union' : (type.typeName as AvroType));

function namesOf(type: Type): readonly string[] {
  if (type.typeName === 'record') return (type as types.RecordType).fields.map(({ name: n }) => n);
  return type.typeName === 'enum' ? (type as types.EnumType).symbols : [];
}

function innerOf(type: Type): readonly Type[] {
  if (isUnion(type)) return type.types;
  if (type.typeName === 'record') return (type as types.RecordType).fields.map((each) => each.type);
  if (type.typeName === 'array') return [(type as types.ArrayType).itemsType];
  return type.typeName === 'map' ? [(type as types.MapType).valuesType as Type] : [];
}

function sizeOf(type: Type): number {
  return type.typeName === 'fixed' ? (type as types.FixedType).size : 0;
}

/** Whether every type has a value that ends: no record needs another of itself. */
function canEnd(nodes: readonly AvroNode[]): boolean {
  const ends = nodes.map(({ type }) => type !== 'record' && type !== 'union');
  for (let changed = true; changed; ) {
    changed = false;
    nodes.forEach(({ type, of }, i) => {
      const now = type === 'record' ? of.every((n) => ends[n]) : of.some((n) => ends[n]);
      if (now && ends[i] === false) {
        ends[i] = true;
        changed = true;
      }
    });
  }
  return ends.every((each) => each);
}
