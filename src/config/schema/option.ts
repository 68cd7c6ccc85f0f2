/**
 * Builds the schema of one option. The JSON Schema it gives is what editors use, what ajv checks
 * and what docs/configuration.md is made from; the type is the one after defaults are filled in.
 * Besides standard keywords: `durationRange` and `sizeRange` (both ends included; checked by ajv),
 * `what` (how to write it, for messages), `zero` (meaning of 0) and `byDefault` (a default that
 * depends on others).
 */
import Type, { type Static, type TSchema } from 'typebox';
import { DURATION_PATTERN, RETENTION_PATTERN, SIZE_PATTERN } from '../../base/quantity.ts';

/** As in model/record.ts; `__proto__` is no name in any language. */
export const NAME_PATTERN = '^(?!__proto__$)[A-Za-z0-9_-]{1,64}$';
/** A column: also an SQL identifier, so that nobody must quote it. */
export const COLUMN_PATTERN = '^(?!__proto__$)[A-Za-z_][A-Za-z0-9_]{0,63}$';

interface Common<T> {
  readonly default?: T;
  readonly byDefault?: string;
  readonly zero?: string;
}
type Maybe<T, O extends Common<unknown>> = O extends { default: unknown } ? T : T | undefined;
type RangeOption = Common<string> & { readonly range: readonly [string, string] };
type TextOption = Common<string | null> & {
  readonly pattern?: string;
  readonly what: string;
  readonly maxLength?: number;
};

const TEXT_LENGTH_MAX = 1024;

export const duration = <const O extends RangeOption>(description: string, option: O) =>
  Type.Unsafe<Maybe<string, O>>({
    type: 'string',
    description,
    pattern: DURATION_PATTERN,
    what: 'a duration such as 10s, 5m, 1h, 7d or 5y',
    ...ranged('durationRange', option),
  });

/** A duration that may be absent. */
export const optionalDuration = (
  description: string,
  option: RangeOption & { readonly byDefault: string },
) => Type.Unsafe<string | undefined>(duration(description, option));

/** A duration that may also be `forever`. */
export const retention = <const O extends RangeOption>(description: string, option: O) =>
  Type.Unsafe<Maybe<string, O>>({
    type: 'string',
    description,
    pattern: RETENTION_PATTERN,
    what: 'a duration such as 7d, 90d or 5y, or forever',
    ...ranged('durationRange', option),
  });

export const size = <const O extends RangeOption>(description: string, option: O) =>
  Type.Unsafe<Maybe<string, O>>({
    type: 'string',
    description,
    pattern: SIZE_PATTERN,
    what: 'a size such as 512KiB, 256MiB or 4GiB',
    ...ranged('sizeRange', option),
  });

function ranged(keyword: string, { range, ...rest }: RangeOption) {
  return { ...rest, [keyword]: range };
}

export const integer = (
  description: string,
  option: Common<number> & { default: number; minimum: number; maximum: number },
) => Type.Unsafe<number>({ type: 'integer', description, ...option });

export const text = <const O extends TextOption>(description: string, option: O) =>
  Type.Unsafe<Maybe<O extends { default: null } ? string | null : string, O>>({
    type: option.default === null ? ['string', 'null'] : 'string',
    description,
    maxLength: TEXT_LENGTH_MAX,
    ...option,
  });

/** A number that may be absent: null. */
export const number = (description: string, limit: { readonly exclusiveMinimum?: number } = {}) =>
  Type.Unsafe<number | null>({ type: ['number', 'null'], description, default: null, ...limit });

/** A number of at least 0. */
export const amount = (description: string, byDefault: number) =>
  Type.Unsafe<number>({ type: 'number', description, default: byDefault, minimum: 0 });

/** As in the prefix of Confluent's serializers: four bytes. */
export const schemaId = (description: string) =>
  Type.Unsafe<number>({ type: 'integer', description, minimum: 0, maximum: 2 ** 32 - 1 });

/** Two numbers, the lower first. */
export const range = (description: string) =>
  Type.Unsafe<readonly [number, number] | undefined>({
    type: 'array',
    description,
    items: { type: 'number' },
    minItems: 2,
    maxItems: 2,
    what: 'two numbers such as [0, 80]',
    byDefault: 'none',
  });

export const flag = (description: string, byDefault = false) =>
  Type.Unsafe<boolean>({ type: 'boolean', description, default: byDefault });

/** A flag whose default depends on other options. */
export const dependentFlag = (description: string, byDefault: string) =>
  Type.Unsafe<boolean | undefined>({ type: 'boolean', description, byDefault });

export const choice = <const V extends string>(
  description: string,
  values: readonly V[],
  byDefault: NoInfer<V>,
) => Type.Unsafe<V>({ type: 'string', description, enum: values, default: byDefault });

/** A choice whose default depends on other options. */
export const dependentChoice = <const V extends string>(
  description: string,
  values: readonly V[],
  byDefault: string,
) => Type.Unsafe<V | undefined>({ type: 'string', description, enum: values, byDefault });

/** A list that may be absent: null. */
export const optionalList = <T extends TSchema>(
  description: string,
  items: T,
  option: { byDefault: string; minItems: number; maxItems: number },
) =>
  Type.Unsafe<NonNullable<Static<T>>[] | undefined>({
    type: 'array',
    description,
    items,
    ...option,
  });

export const list = <T extends TSchema>(
  description: string,
  items: T,
  option: { default: readonly NonNullable<Static<T>>[]; minItems?: number; maxItems: number },
) => Type.Unsafe<NonNullable<Static<T>>[]>({ type: 'array', description, items, ...option });

export const section = <P extends Record<string, TSchema>>(description: string, properties: P) =>
  Type.Unsafe<{ [K in keyof P]: Static<P[K]> }>({
    type: 'object',
    description,
    properties,
    additionalProperties: false,
  });

export const dictionary = <T extends TSchema>(
  description: string,
  names: { pattern: string; what: string },
  values: T,
) =>
  Type.Unsafe<Record<string, NonNullable<Static<T>>>>({
    type: 'object',
    description,
    propertyNames: { ...names },
    additionalProperties: values,
  });

/** A text, or a section where more is to be said; `what` shows both. */
export const textOrSection = <T, P extends Record<string, TSchema>>(
  short: TSchema,
  properties: P,
  what: string,
) =>
  Type.Unsafe<string | T>({
    ...short,
    type: ['string', 'object'],
    properties,
    additionalProperties: false,
    what,
  });

/** Path into a payload: 'v.kmh', or [v, kmh] where a member's name contains a dot. */
export const jsonPath = <const O extends Common<string>>(description: string, option: O) =>
  Type.Unsafe<Maybe<string | string[], O>>({
    type: ['string', 'array'],
    description,
    items: { type: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX },
    minItems: 1,
    minLength: 1,
    maxLength: TEXT_LENGTH_MAX,
    what: 'member names joined by dots such as v.kmh, or a list of them',
    ...option,
  });
