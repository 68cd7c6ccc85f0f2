/**
 * The windows of a channel in the file: a length, or a section that says what else a window can be.
 * Which members go together is a relation (../channel-window.ts), because each kind has its own.
 */
import Type from 'typebox';
import { DURATION_PATTERN } from '../../base/quantity.ts';
import { PANES_MAX, WINDOWS_PER_CHANNEL_MAX } from '../../model/limit.ts';
import { list, textOrSection } from './option.ts';

/** One second: ticks are no finer. 31 days: a month; times within a window are 32 bits. */
const WINDOW_RANGE = ['1s', '31d'] as const;
/** A token in subjects and the suffix of a table. */
const WINDOW_NAME_PATTERN = '^[a-z0-9][a-z0-9_]{0,31}$';
/** Far more samples than a device sends in a month of windows. */
const COUNT_MAX = 1_000_000;

/** Not filled with defaults: an absent member says which kind of window it is. */
export interface RawWindow {
  readonly name?: string;
  readonly length?: string;
  readonly every?: string | number;
  readonly session?: string;
  readonly max?: string;
  readonly count?: number;
  readonly sketch?: boolean;
  readonly facts?: boolean;
}

const DURATION = {
  type: 'string',
  pattern: DURATION_PATTERN,
  durationRange: WINDOW_RANGE,
  what: 'a duration such as 10s, 5m, 1h, 7d or 31d',
};
const length = (description: string, byDefault = 'none') =>
  Type.Unsafe<string>({ ...DURATION, description, byDefault });

const WINDOW_SCHEMA = textOrSection<RawWindow, Record<keyof RawWindow, Type.TSchema>>(
  Type.Unsafe<string>({ ...DURATION, description: 'A window.' }),
  {
    name: Type.Unsafe<string>({
      type: 'string',
      description: 'Token in subjects and suffix of the table `agg_<name>`.',
      pattern: WINDOW_NAME_PATTERN,
      what: '1 to 32 characters of a-z 0-9 _, not beginning with _',
      byDefault: 'such as 1m, 10m_every_1m, session_5m, last_100',
    }),
    length: length('Tumbling or hopping: how long a window is.'),
    every: Type.Unsafe<string | number>({
      type: ['string', 'integer'],
      description:
        `Hopping: a window begins every so much; \`length\` is 2 to ${PANES_MAX} times as long. ` +
        `Count: after how many samples the next window ends; \`count\` is 1 to ${PANES_MAX} times.`,
      pattern: DURATION_PATTERN,
      durationRange: WINDOW_RANGE,
      minimum: 1,
      maximum: COUNT_MAX,
      what: 'a duration such as 1m, or a number of samples',
      byDefault: 'tumbling; count: as many as `count`',
    }),
    session: length('Session: silence that ends it.'),
    max: length('Session: the longest one.', '1d, or `session` when that is longer'),
    count: Type.Unsafe<number>({
      type: 'integer',
      description: 'Count: samples of a window, the last ones.',
      minimum: 1,
      maximum: COUNT_MAX,
      byDefault: 'none',
    }),
    sketch: Type.Unsafe<boolean>({
      type: 'boolean',
      description: 'With a sketch for p50, p95 and p99.',
      byDefault: 'true for tumbling and hopping windows from 1h up',
    }),
    facts: Type.Unsafe<boolean>({
      type: 'boolean',
      description: 'Its closing is published on `agg.<name>.…`; rows are written in any case.',
      byDefault: 'true',
    }),
  },
  'a length such as 1m, { length, every }, { session, max } or { count, every }',
);

export const WINDOWS_SCHEMA = list(
  'Windows: lengths of tumbling ones, or a section for another kind.',
  WINDOW_SCHEMA,
  { default: ['1m', '1h'], maxItems: WINDOWS_PER_CHANNEL_MAX },
);
