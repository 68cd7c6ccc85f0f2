/**
 * Walks the declared paths of a channel through a Protobuf message. In: paths, and what they must
 * lead to. Out: null, or a sentence about what stands in the way; in the end the part of the schema
 * that was walked (pruned.ts).
 *
 * A path is the names of fields; behind a map comes a key, behind a repeated field an index.
 */
import protobuf from 'protobufjs';
import { ELEMENTS_MAX, JSON_DEPTH_MAX } from '../../model/limit.ts';
import type { TimeFormat, ValueKind } from '../../model/plan.ts';
import { nameHint } from './name-hint.ts';
import { ProtobufPruning } from './protobuf-pruning.ts';
import type { SchemaUse } from './schema-use.ts';

const TIMESTAMP = '.google.protobuf.Timestamp';
const INTEGERS = [
  ...['int32', 'int64', 'uint32', 'uint64', 'sint32', 'sint64'],
  ...['fixed32', 'fixed64', 'sfixed32', 'sfixed64'],
];
/** What each kind of metric is read from. */
const KIND_TYPES: Readonly<Record<ValueKind, readonly string[]>> = {
  number: [...INTEGERS, 'double', 'float', 'enum'],
  integer: [...INTEGERS, 'enum'],
  boolean: ['bool'],
  text: ['string', 'enum'],
};

/** Where a path ends. */
interface End {
  readonly field: protobuf.Field;
  /** A scalar's name, 'enum' or 'message'. */
  readonly type: string;
}
type Step = readonly [protobuf.Type, protobuf.Field];

export class PathWalk {
  readonly #root: protobuf.Type;
  #sample: protobuf.Type;
  #samplesPath: readonly string[] = [];
  /** The path of a Timestamp: other paths may not lead into it. */
  #timestamp: { readonly path: readonly string[]; readonly from: protobuf.Type } | null = null;
  readonly #pruning: ProtobufPruning;

  constructor(root: protobuf.Type) {
    this.#root = root;
    this.#sample = root;
    this.#pruning = new ProtobufPruning(root);
  }

  pruned() {
    return this.#pruning.schema();
  }

  toSamples(path: readonly string[]): string | null {
    const end = this.#follow(this.#root, path, true);
    if (typeof end === 'string') return end;
    const sample = end.field.resolvedType;
    if (!end.field.repeated || !(sample instanceof protobuf.Type) || isGroup(end.field)) {
      return `${quoted(path)} is ${describe(end.field)}; samples are a repeated message.`;
    }
    this.#samplesPath = path;
    this.#sample = sample;
    return null;
  }

  toTime(
    path: readonly string[],
    { inSample, timeFormat }: { inSample: boolean; timeFormat: TimeFormat },
  ): string | null {
    const from = inSample ? this.#sample : this.#root;
    const end = inSample ? this.#follow(from, path) : this.#followRecord(path);
    if (typeof end === 'string') return end;
    if (end.field.resolvedType?.fullName === TIMESTAMP) {
      this.#timestamp = { path, from };
      this.#pruning.useAll(end.field.resolvedType as protobuf.Type);
      return null;
    }
    const isInteger = INTEGERS.includes(end.type);
    if (isInteger && timeFormat === 'iso8601') {
      return `${quoted(path)} is ${describe(end.field)}: say its unit as format (s, ms, us or ns).`;
    }
    if (isInteger || end.type === 'string') return null;
    const expected = 'an integer, a string or a google.protobuf.Timestamp';
    return `${quoted(path)} is ${describe(end.field, true)}; a time is ${expected}.`;
  }

  toEventId(path: readonly string[]): string | null {
    const end = this.#followRecord(path);
    if (typeof end === 'string') return end;
    if ([...INTEGERS, 'string', 'bytes'].includes(end.type)) return null;
    const expected = 'a string, bytes or an integer';
    return `${quoted(path)} is ${describe(end.field, true)}; an event id is ${expected}.`;
  }

  toMetric({ kind, path }: SchemaUse['metrics'][number]): string | null {
    const end = this.#follow(this.#sample, path);
    if (typeof end === 'string') return end;
    if (!KIND_TYPES[kind].includes(end.type)) {
      const expected = KIND_TYPES[kind].join(', ');
      const said = `${quoted(path)} is ${describe(end.field, true)}`;
      return `${said}; ${withArticle(kind)} is read from: ${expected}.`;
    }
    const names = end.field.resolvedType;
    if (kind === 'text' && names instanceof protobuf.Enum) this.#pruning.useNames(names);
    return null;
  }

  /** From the payload's root, beside the samples. */
  #followRecord(path: readonly string[]): End | string {
    const samples = this.#samplesPath;
    if (samples.length > 0 && samples.every((name, i) => path[i] === name)) {
      return `${quoted(path)} leads into the samples, but it is of the whole payload.`;
    }
    return this.#follow(this.#root, path);
  }

  #follow(from: protobuf.Type, path: readonly string[], isArray = false): End | string {
    const time = this.#timestamp;
    if (
      time !== null &&
      time.from === from &&
      path.length > time.path.length &&
      time.path.every((name, i) => path[i] === name)
    ) {
      return `${quoted(path)} leads into the Timestamp that is the time.`;
    }
    if (path.length > JSON_DEPTH_MAX) {
      return `${quoted(path)} has ${path.length} names; at most ${JSON_DEPTH_MAX} are read.`;
    }
    const steps: Step[] = [];
    const end = walk(from, path, { steps, isArray });
    if (typeof end === 'string') return end;
    for (const [type, field] of steps) this.#pruning.use(type, field);
    return end;
  }
}

const quoted = (path: readonly string[]): string => `\`${path.join('.')}\``;
const nameOf = ({ fullName }: protobuf.ReflectionObject): string => fullName.replace(/^\./, '');
const isGroup = (field: protobuf.Field): boolean => field.delimited;

function walk(
  from: protobuf.Type,
  path: readonly string[],
  { steps, isArray }: { steps: Step[]; isArray: boolean },
): End | string {
  let here = from;
  let at = 0;
  while (true) {
    const name = path[at] ?? '';
    const field = here.fields[name]?.resolve();
    const said = at === 0 ? nameOf(here) : quoted(path.slice(0, at));
    if (field === undefined) {
      return `${said} has no field \`${name}\`: ${nameHint(name, Object.keys(here.fields))}`;
    }
    if (isGroup(field)) return `${quoted(path.slice(0, at + 1))} is a group, which is not read.`;
    steps.push([here, field]);
    at += 1;
    if (!(isArray && at === path.length)) {
      const trouble = needsMore(field, path, at);
      if (trouble !== null) return trouble;
      if (field.map || field.repeated) at += 1;
    }
    const next = field.resolvedType;
    if (at === path.length) {
      return {
        field,
        type: next === null ? field.type : next instanceof protobuf.Enum ? 'enum' : 'message',
      };
    }
    if (!(next instanceof protobuf.Type)) {
      const last = quoted(path.slice(0, at));
      return `${last} is ${describe(field, true)}, so there is no \`${path[at]}\` in it.`;
    }
    here = next;
  }
}

/** The key behind a map, the index behind a repeated field. */
function needsMore(field: protobuf.Field, path: readonly string[], at: number): string | null {
  const said = quoted(path.slice(0, at));
  const next = path[at];
  if (field instanceof protobuf.MapField) {
    if (next === undefined) return `${said} is ${describe(field)}: a key must follow.`;
    if (isKey(next, field.keyType)) return null;
    return `${said} is ${describe(field)}, and \`${next}\` is no ${field.keyType}.`;
  }
  if (!field.repeated) return null;
  if (next === undefined) return `${said} is ${describe(field)}: an index must follow.`;
  if (/^(0|[1-9][0-9]*)$/.test(next) && Number(next) < ELEMENTS_MAX) return null;
  return (
    `${said} is ${describe(field)}: an index from 0 to ${ELEMENTS_MAX - 1} must follow, ` +
    `not \`${next}\`.`
  );
}

function isKey(text: string, type: string): boolean {
  if (type === 'string') return true;
  if (type === 'bool') return text === 'true' || text === 'false';
  if (!/^(0|-?[1-9][0-9]*)$/.test(text)) return false;
  const value = BigInt(text);
  const bits = type.endsWith('64') ? 64 : 32;
  const isUnsigned = type.startsWith('u') || type.startsWith('f');
  return (isUnsigned ? BigInt.asUintN(bits, value) : BigInt.asIntN(bits, value)) === value;
}

/** 'a string', 'a repeated double', 'a map<string, M>'; of a container also what lies in it. */
function describe(field: protobuf.Field, inside = false): string {
  const resolved = field.resolvedType;
  const type = resolved === null ? field.type : nameOf(resolved);
  const what = resolved instanceof protobuf.Enum ? `enum ${type}` : type;
  const whole = resolved instanceof protobuf.Type ? `message ${type}` : what;
  if (inside) return withArticle(whole);
  if (field instanceof protobuf.MapField) return `a map<${field.keyType}, ${type}>`;
  if (field.repeated) return `a repeated ${whole}`;
  return withArticle(whole);
}

const withArticle = (noun: string): string => `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
