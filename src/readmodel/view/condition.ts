/**
 * Views of what the kernel judged: `v_quality_1m`, six dimensions of quality per device and minute,
 * and `v_alerts`, a row per time that an alert was raised. In: where tables live, for units the
 * channels of a plan. Out: SELECTs.
 */
import type { PlanChannel } from '../../model/plan.ts';
import { ALERTS, QUALITY, QUALITY_DIMENSIONS } from '../../model/table.ts';
import { qualified } from '../sql.ts';
import { ALIVE, uncut, unitText, VERSION_COLUMNS, type View, type ViewContext } from './context.ts';

const IDENTITY = ['tenant', 'site', 'device'].map((name) => `t.\`${name}\` AS \`${name}\``);

/** NULL where nothing was judged: no sample with a time says nothing about timeliness. */
function dimensionColumns(dimension: string): string[] {
  const [good, total] = [`t.\`${dimension}_good\``, `t.\`${dimension}_total\``];
  return [
    `if(${total} = 0, NULL, ${good} / ${total}) AS \`${dimension}\``,
    `${good} AS \`${dimension}_good\``,
    `${total} AS \`${dimension}_total\``,
  ];
}

export function qualityView(context: ViewContext): View {
  const columns = [
    ...IDENTITY,
    't.`minute` AS `minute`',
    ...QUALITY_DIMENSIONS.flatMap(dimensionColumns),
    't.`log_time` AS `log_time`',
    't.`partition` AS `partition`',
  ];
  return { name: 'v_quality_1m', select: selectText(columns, QUALITY.name, context) };
}

export function alertsView(channels: readonly PlanChannel[], context: ViewContext): View {
  const columns = [
    ...IDENTITY,
    ...['channel', 'rule', 'severity', 'metric'].map((name) => `t.\`${name}\` AS \`${name}\``),
    `${unitText(channels, { channel: 't.channel', metric: 't.metric' })} AS \`unit\``,
    't.`active` AS `active`',
    't.`raised_at` AS `raised_at`',
    't.`since` AS `since`',
    't.`value` AS `value`',
    't.`peak` AS `peak`',
    'if(t.`active`, NULL, t.`cleared_at`) AS `cleared_at`',
    'if(t.`active`, NULL, t.`cleared_value`) AS `cleared_value`',
    't.`log_time` AS `log_time`',
    't.`partition` AS `partition`',
    't.`raised_sequence` AS `raised_sequence`',
    't.`raised_ordinal` AS `raised_ordinal`',
  ];
  return { name: 'v_alerts', select: selectText(columns, ALERTS.name, context) };
}

function selectText(columns: readonly string[], table: string, context: ViewContext): string {
  return [
    `SELECT\n  ${columns.join(',\n  ')}`,
    `FROM ${qualified(context.database, table)} AS t FINAL`,
    `WHERE ${ALIVE} AND ${uncut(context, VERSION_COLUMNS)}`,
  ].join('\n');
}
