/**
 * Where a path leads in an Avro schema. In: avsc's type to begin at and names. Out: the type there
 * with what its logical type says, or a sentence about where the path ends too early. Paths lead
 * through records (by field), maps (by key) and unions of null and one other.
 */
import avro, { type Type, type types } from 'avsc';
import { nameHint } from './name-hint.ts';

/** Logical types that say something about times, and decimal; all else is what it lies in. */
export class Named extends avro.types.LogicalType {}
const TIMES_OF_LONG = ['timestamp', 'local-timestamp'].flatMap((kind) =>
  ['millis', 'micros', 'nanos'].map((unit) => `${kind}-${unit}`),
);
export const LOGICAL_TYPES = Object.fromEntries(
  [...TIMES_OF_LONG, 'date', 'time-millis', 'time-micros', 'decimal'].map((name) => [name, Named]),
);

export interface Place {
  readonly type: Type;
  /** '' when it has none, or one that does not fit its type and is void. */
  readonly logical: string;
}

export type Leads = { readonly place: Place } | { readonly what: string };

export function follow(from: Type, path: readonly string[], root: string): Leads {
  let here = from;
  let said = root;
  for (const name of path) {
    const { type } = settle(here);
    const kind = type.typeName;
    if (kind === 'record') {
      const { fields } = type as types.RecordType;
      const field = fields.find((each) => each.name === name);
      if (field === undefined) {
        const names = fields.map((each) => each.name);
        return { what: `${said} has no field \`${name}\`: ${nameHint(name, names)}` };
      }
      here = field.type;
    } else if (kind === 'map') {
      here = (type as types.MapType).valuesType as Type;
    } else {
      return { what: `${said} is ${describe(type)}, so there is no \`${name}\` in it.` };
    }
    said = said === root ? `\`${name}\`` : `${said.slice(0, -1)}.${name}\``;
  }
  return { place: settle(here) };
}

/** Through logical types, and unions of null and one other. */
export function settle(type: Type): Place {
  if (isUnion(type)) {
    const others = type.types.filter((branch) => branch.typeName !== 'null');
    const other = others[0];
    if (other !== undefined && others.length === 1) return settle(other);
  }
  if (!type.typeName.startsWith('logical:')) return { type, logical: '' };
  const under = (type as types.LogicalType).underlyingType;
  const name = type.typeName.slice('logical:'.length);
  return { type: under, logical: isValid(name, under.typeName) ? name : '' };
}

export function isUnion(type: Type): type is types.WrappedUnionType {
  return type.typeName.startsWith('union');
}

/** As the specification says: a logical type on a type that cannot be it is ignored. */
function isValid(logical: string, type: string): boolean {
  if (logical === 'decimal') return type === 'bytes' || type === 'fixed';
  return type === (logical === 'date' || logical === 'time-millis' ? 'int' : 'long');
}

export function describe(type: Type): string {
  if (isUnion(type)) {
    const branches = type.types.map((branch) => settle(branch).type.typeName).join(', ');
    return `a union of ${branches} (only null and one other type can be read)`;
  }
  const kind = type.typeName;
  if (kind === 'array') return 'an array (only `samples` may lead to one)';
  return `${withArticle(kind)}${type.name ? ` (${type.name})` : ''}`;
}

export const withArticle = (noun: string): string =>
  `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
