/**
 * Cross-field rules and alerts of a channel in the plan image (plan-layout.ts). In: what the
 * registry has checked. Out: where the records begin; names are relative to their record.
 */
import * as A from '../../../assembly/shared/abi.ts';
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { PlanAlert, PlanRule } from '../../model/plan.ts';
import type { ImageWriter } from './image-writer.ts';

const OPERATORS = {
  '<': A.OPERATOR_LESS,
  '<=': A.OPERATOR_LESS_EQUAL,
  '=': A.OPERATOR_EQUAL,
  '!=': A.OPERATOR_NOT_EQUAL,
} as const;
const CONDITIONS = {
  above: A.ALERT_ABOVE,
  below: A.ALERT_BELOW,
  outside: A.ALERT_OUTSIDE,
} as const;
const SEVERITIES = {
  info: A.SEVERITY_INFO,
  warning: A.SEVERITY_WARNING,
  critical: A.SEVERITY_CRITICAL,
} as const;

export function writeRules(writer: ImageWriter, rules: readonly PlanRule[]): number {
  assert(rules.length <= A.RULES_PER_CHANNEL_MAX, 'few rules per channel');
  const list = writer.reserve(rules.length * L.RULE_BYTES);
  rules.forEach((rule, i) => {
    const at = list + i * L.RULE_BYTES;
    writer.u32(at + L.RULE_LEFT_AT, rule.left);
    writer.u32(at + L.RULE_OPERATOR_AT, OPERATORS[rule.operator]);
    writer.u32(at + L.RULE_RIGHT_AT, rule.right);
  });
  return list;
}

export function writeAlerts(writer: ImageWriter, alerts: readonly PlanAlert[]): number {
  assert(alerts.length <= A.ALERTS_PER_CHANNEL_MAX, 'few alerts per channel');
  const list = writer.reserve(alerts.length * L.ALERT_BYTES);
  alerts.forEach((alert, i) => {
    assert(alert.id === i, `alert ${alert.name} lies at its id ${alert.id}`);
    const at = list + i * L.ALERT_BYTES;
    const name = writer.name(alert.name);
    writer.u32(at + L.ALERT_ID_AT, alert.id);
    writer.u32(at + L.ALERT_METRIC_AT, alert.metric);
    writer.u32(at + L.ALERT_SEVERITY_AT, SEVERITIES[alert.severity]);
    writer.u32(at + L.ALERT_CONDITION_AT, CONDITIONS[alert.condition]);
    writer.f64(at + L.ALERT_LOW_AT, alert.low);
    writer.f64(at + L.ALERT_HIGH_AT, alert.high);
    writer.f64(at + L.ALERT_HYSTERESIS_AT, alert.hysteresis);
    writer.u64(at + L.ALERT_DWELL_AT, BigInt(alert.dwellMs));
    writer.u32(at + L.ALERT_NAME_AT, name.at - at);
    writer.u32(at + L.ALERT_NAME_BYTES_AT, name.bytes);
    writer.u32(at + L.ALERT_RETIRED_AT, alert.retired ? 1 : 0);
  });
  return list;
}
