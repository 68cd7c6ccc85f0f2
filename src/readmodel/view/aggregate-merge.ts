/**
 * How rows of one window become one row, as SQL. In: how an aggregate is spelled over the rows of
 * a group `f`. Out: expressions of `v_agg_<window>`. A window of one row passes through untouched,
 * bit for bit; several merge:
 *
 *   counts, sums, bins add up · least, greatest, first, last by (time, sequence) compare
 *   M2 = Σ m2ᵢ + Σ nᵢ (meanᵢ − mean)²                                            (Chan)
 *   integral: of parts one after the other with what lies between, of parts that overlap their
 *   mean over the time they cover (assembly/README.md "Accumulators")
 *
 * A quantile is known when the sketches hold every reading: an hour that is added up from minutes
 * without sketch has none.
 */
import { SKETCH_SHIFT } from '../../model/limit.ts';

/** Spells an aggregate: over all rows of a group, or over those of its highest tier. */
export type Spelling = (call: string, ...values: string[]) => string;
export const overAll: Spelling = (call, ...values) => `${call}(${values.join(', ')})`;
export const overTopTier: Spelling = (call, ...values) =>
  `${call}ArgMax(${[...values, 'f.tier'].join(', ')})`;

const QUANTILES = { p50: 0.5, p95: 0.95, p99: 0.99 } as const;

const ms = (time: string) => `toFloat64(toUnixTimestamp64Milli(${time}))`;

/** A part: start and fragment, then integral, first and last time, last value. */
const SPAN =
  `(${ms('f.window_part')}, f.fragment, ` +
  `f.integral, ${ms('f.first_time')}, ${ms('f.last_time')}, f.last)`;
/** What has been joined so far: integral, first and last time, last value. */
const FIRST_SPAN = '(spans[1].3, spans[1].4, spans[1].5, spans[1].6)';
const COVERED = '((a.3 - a.2) + (s.5 - s.4))';
const JOINED =
  '(if(s.4 >= a.3, a.1 + a.4 * (s.4 - a.3) + s.3, ' +
  `if(${COVERED} = 0, 0., ` +
  `(a.1 + s.3) / ${COVERED} * (greatest(a.3, s.5) - least(a.2, s.4)))), ` +
  'least(a.2, s.4), greatest(a.3, s.5), if(s.5 >= a.3, s.6, a.4))';

/** Sorted, so that sums do not depend on the order in which ClickHouse meets the fragments. */
export const mergedParts = (top: Spelling): string[] => [
  `arraySort(${top('groupArray', '(f.fragment, f.window_part, f.count, f.mean, f.m2)')}) AS parts`,
  'length(parts) = 1 ? parts[1].4 : ' +
    'arraySum(p -> p.3 * p.4, parts) / arraySum(p -> p.3, parts) AS merged_mean',
  'length(parts) = 1 ? parts[1].5 : ' +
    'arraySum(p -> p.5 + p.3 * pow(p.4 - merged_mean, 2), parts) AS merged_m2',
  `arraySort(${top('groupArray', SPAN)}) AS spans`,
  `arrayFold((a, s) -> ${JOINED}, arraySlice(spans, 2), ${FIRST_SPAN}).1 AS merged_integral`,
  `${top('sumMap', 'f.bin', 'f.bin_count')} AS bins`,
  'arrayCumSum(bins.2) AS ranks',
];

export function mergedColumns(unit: string, top: Spelling): string[] {
  const firstKey = '(f.first_time, f.first_sequence, f.fragment)';
  const lastKey = '(f.last_time, f.last_sequence, f.fragment)';
  const span = `(${ms('`last_time`')} - ${ms('`first_time`')})`;
  return [
    'f.tenant AS `tenant`',
    'f.site AS `site`',
    'f.device AS `device`',
    'f.channel AS `channel`',
    'f.metric AS `metric`',
    `${unit} AS \`unit\``,
    'f.window_start AS `window_start`',
    `${top('max', 'f.window_end')} AS \`window_end\``,
    `${top('sum', 'f.count')} AS \`count\``,
    `${top('sumKahan', 'f.sum')} AS \`sum\``,
    `${top('min', 'f.min')} AS \`min\``,
    `${top('max', 'f.max')} AS \`max\``,
    `${top('argMin', 'f.first', firstKey)} AS \`first\``,
    `${top('argMin', 'f.first_time', firstKey)} AS \`first_time\``,
    `${top('argMax', 'f.last', lastKey)} AS \`last\``,
    `${top('argMax', 'f.last_time', lastKey)} AS \`last_time\``,
    'merged_mean AS `mean`',
    'merged_m2 AS `m2`',
    'merged_m2 / `count` AS `variance`',
    'sqrt(merged_m2 / `count`) AS `stddev_pop`',
    'if(`count` > 1, sqrt(merged_m2 / (`count` - 1)), NULL) AS `stddev_samp`',
    `if(${span} > 0, (\`last\` - \`first\`) / (${span} / 1000), NULL) AS \`rate\``,
    `if(isNaN(merged_integral), NULL, if(${span} > 0, merged_integral / ${span}, merged_mean)) ` +
      'AS `time_weighted_mean`',
    ...Object.entries(QUANTILES).map(([name, share]) => `${quantile(share)} AS \`${name}\``),
    `${top('max', 'f.score')} AS \`score\``,
    `${top('count')} AS \`fragments\``,
    `${top('max', 'f.revision')} AS \`revision\``,
    `${top('max', 'f.watermark')} AS \`watermark\``,
    `${top('max', 'f.log_time')} AS \`log_time\``,
    'any(f.partition) AS `partition`',
    'toBool(max(f.tier) = 0) AS `open`',
  ];
}

/** The middle of the bin in which rank ⌊share · (n − 1)⌋ lies, as wire/quantile.ts has it. */
function quantile(share: number): string {
  const rank = `floor(${share} * (toFloat64(\`count\`) - 1))`;
  const key = `bins.1[arrayFirstIndex(r -> r > ${rank}, ranks)]`;
  const bound = (more: number) =>
    `reinterpretAsFloat64(bitShiftLeft(toUInt64(abs(${key}) + ${more}), ${SKETCH_SHIFT})) / 2`;
  const middle = `if(${key} = 0, 0., sign(${key}) * (${bound(0)} + ${bound(1)}))`;
  return `if(ranks[-1] = \`count\`, greatest(\`min\`, least(\`max\`, ${middle})), NULL)`;
}
