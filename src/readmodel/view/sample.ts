/**
 * Views of raw samples. In: channels of a plan. Out: `v_<channel>`, a wide row per sample with NULL
 * for metrics that the sample does not have, and `v_readings`, a narrow row per reading over all
 * channels.
 */
import {
  FLAG_HISTORICAL,
  FLAG_LATE,
  FLAG_PARTLY,
  FLAG_SUSPECT,
  FLAG_TIME_CORRECTED,
  FLAG_TIME_RECEIVED,
  FLAG_UNJUDGED_TIME,
} from '../../model/limit.ts';
import type { PlanChannel, PlanMetric } from '../../model/plan.ts';
import { channelTable } from '../../model/table.ts';
import { identifier, list, literal, qualified } from '../sql.ts';
import {
  ALIVE,
  emptySelect,
  FINAL_SETTINGS,
  uncut,
  type View,
  type ViewContext,
} from './context.ts';

const CUT_COLUMNS = { generation: '`version`', sequence: '`sequence`' };

const hasFlag = (bit: number): string => `bitAnd(t.\`flags\`, ${bit}) != 0`;
const flag = (bit: number, name: string): string => `toBool(${hasFlag(bit)}) AS \`${name}\``;

const BEFORE_METRICS = [
  't.`tenant` AS `tenant`',
  't.`site` AS `site`',
  't.`device` AS `device`',
  't.`event_time` AS `event_time`',
  // Another than event_time only where a clock was corrected; older rows do not have it.
  `if(${hasFlag(FLAG_TIME_CORRECTED)}, t.\`device_time\`, t.\`event_time\`) AS \`device_time\``,
  't.`received_at` AS `received_at`',
  't.`log_time` AS `log_time`',
];

const AFTER_METRICS = [
  flag(FLAG_LATE, 'late'),
  flag(FLAG_PARTLY, 'partly'),
  flag(FLAG_TIME_RECEIVED, 'time_received'),
  flag(FLAG_UNJUDGED_TIME, 'time_unjudged'),
  flag(FLAG_TIME_CORRECTED, 'time_corrected'),
  flag(FLAG_HISTORICAL, 'historical'),
  flag(FLAG_SUSPECT, 'suspect'),
  't.`partition` AS `partition`',
  't.`sequence` AS `sequence`',
  't.`ordinal` AS `ordinal`',
];

export function channelView(channel: PlanChannel, context: ViewContext): View {
  const metrics = channel.metrics.map((metric) => {
    const name = identifier(metric.name);
    return `if(bitTest(t.\`presence\`, ${metric.ordinal}), t.${name}, NULL) AS ${name}`;
  });
  const columns = [...BEFORE_METRICS, ...metrics, ...AFTER_METRICS];
  return {
    name: `v_${channel.name}`,
    select: [
      `SELECT\n  ${columns.join(',\n  ')}`,
      `FROM ${qualified(context.database, channelTable(channel).name)} AS t FINAL`,
      `WHERE ${ALIVE} AND ${uncut(context, CUT_COLUMNS)}`,
      FINAL_SETTINGS,
    ].join('\n'),
  };
}

const READING_TYPES = {
  tenant: 'LowCardinality(String)',
  site: 'LowCardinality(String)',
  device: 'LowCardinality(String)',
  channel: 'LowCardinality(String)',
  metric: 'LowCardinality(String)',
  unit: 'LowCardinality(String)',
  event_time: "DateTime64(3, 'UTC')",
  device_time: "DateTime64(3, 'UTC')",
  received_at: "DateTime64(3, 'UTC')",
  log_time: "DateTime64(3, 'UTC')",
  value: 'Float64',
  value_int: 'Nullable(Int64)',
  value_text: 'Nullable(String)',
  late: 'Bool',
  partly: 'Bool',
  time_received: 'Bool',
  time_unjudged: 'Bool',
  time_corrected: 'Bool',
  historical: 'Bool',
  suspect: 'Bool',
  partition: 'UInt16',
  sequence: 'UInt64',
  ordinal: 'UInt32',
};

export function readingsView(channels: readonly PlanChannel[], context: ViewContext): View {
  const selects = channels
    .filter((channel) => channel.metrics.length > 0)
    .map((channel) => channelReadings(channel, context));
  if (selects.length === 0) selects.push(emptySelect(READING_TYPES));
  return { name: 'v_readings', select: selects.join('\nUNION ALL\n') };
}

/** One pass over the channel's table: a row becomes as many as it has metrics. */
function channelReadings(channel: PlanChannel, context: ViewContext): string {
  const { metrics } = channel;
  const of = (text: (metric: PlanMetric) => string): string => list(metrics.map(text));
  const arrays = [
    `${of((metric) => `toLowCardinality(${literal(metric.name)})`)} AS reading_metric`,
    `${of((metric) => `toLowCardinality(${literal(metric.unit)})`)} AS reading_unit`,
    `${of((metric) => `toUInt8(${metric.ordinal})`)} AS reading_bit`,
    `${of(valueText)} AS reading_value`,
    `${of(integerText)} AS reading_integer`,
    `${of(wordText)} AS reading_text`,
  ];
  const columns = [
    ...BEFORE_METRICS.slice(0, 3),
    `toLowCardinality(${literal(channel.name)}) AS \`channel\``,
    'reading_metric AS `metric`',
    'reading_unit AS `unit`',
    ...BEFORE_METRICS.slice(3),
    'reading_value AS `value`',
    'reading_integer AS `value_int`',
    'reading_text AS `value_text`',
    ...AFTER_METRICS,
  ];
  return [
    `SELECT\n  ${columns.join(',\n  ')}`,
    `FROM ${qualified(context.database, channelTable(channel).name)} AS t FINAL`,
    `ARRAY JOIN\n  ${arrays.join(',\n  ')}`,
    `WHERE bitTest(t.\`presence\`, reading_bit) AND ${ALIVE} AND ${uncut(context, CUT_COLUMNS)}`,
    FINAL_SETTINGS,
  ].join('\n');
}

/** A text is not a number. */
const valueText = ({ name, kind }: PlanMetric): string =>
  kind === 'text' ? 'nan' : `toFloat64(t.${identifier(name)})`;

function wordText({ name, kind }: PlanMetric): string {
  const column = `t.${identifier(name)}`;
  const text = kind === 'boolean' ? `if(${column}, 'true', 'false')` : column;
  const value = kind === 'boolean' || kind === 'text' ? text : 'NULL';
  return `CAST(${value}, 'Nullable(String)')`;
}

function integerText(metric: PlanMetric): string {
  if (metric.kind === 'number' || metric.kind === 'text') return "CAST(NULL, 'Nullable(Int64)')";
  return `CAST(t.${identifier(metric.name)}, 'Nullable(Int64)')`;
}
