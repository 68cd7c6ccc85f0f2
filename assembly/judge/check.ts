/**
 * Readings judged by what only the state or their neighbours tell (README, "Checks by state"). In:
 * a sample that is not refused, its readings decoded. Out: statuses TEXT_LIMIT, RATE_EXCEEDED,
 * VALUE_STUCK, RULE_BROKEN, or, where the policy accepts, only how many are suspect; texts have
 * become ids of the dictionary. Nothing but the dictionary changes.
 */
import {
  channelId, channelRule, channelRuleCount, channelSuspectPolicy, metricAt, metricMaxRate,
  metricStuckMs,
} from '../channel';
import { Reading, SAMPLE_HISTORICAL, Sample, readingAt } from '../decoded';
import { deviceOf } from '../device';
import { DECODED_AT, NONE } from '../memory';
import { Latest, Section, findSection, latestAt, sinceAt } from '../series';
import {
  KIND_BOOLEAN, KIND_NUMBER, KIND_TEXT, OPERATOR_EQUAL, OPERATOR_LESS, OPERATOR_LESS_EQUAL,
  POLICY_ACCEPT,
} from '../shared/abi';
import { RULE_LEFT_AT, RULE_OPERATOR_AT, RULE_RIGHT_AT } from '../shared/plan-layout';
import { OK, RATE_EXCEEDED, RULE_BROKEN, TEXT_LIMIT, VALUE_STUCK } from '../shared/status';
import { Record, ruleScratch } from '../work';
import { keepText } from './dictionary';

/** Integers and booleans as doubles; not for texts. */
@inline
export function doubleOf(kind: u32, bits: u64): f64 {
  // What most are first, and no conversion for nothing; a boolean is 0 or 1.
  if (kind == KIND_NUMBER) return reinterpret<f64>(bits);
  return <f64>(<i64>bits);
}

export function judgeReadings(record: Record, sample: Sample, event: i64): void {
  const section = findSection(deviceOf(<u32>record.slot), channelId(record.channel));
  const known: u32 = section == 0 ? 0 : changetype<Section>(section).metricCount;
  const accepts = channelSuspectPolicy(record.channel) == POLICY_ACCEPT;
  const historical = (sample.flags & SAMPLE_HISTORICAL) != 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status != OK) continue;
    if (reading.kind == KIND_TEXT && !takeText(reading)) continue;
    if (reading.ordinal >= known) continue;
    const latest = latestAt(section, reading.ordinal);
    if (latest.eventTime == NONE) continue;
    const metric = metricAt(record.channel, reading.ordinal);
    let status = OK;
    if (exceedsRate(reading, metric, latest, event)) status = RATE_EXCEEDED;
    else if (!historical && isStuck(reading, metric, section, latest, event)) status = VALUE_STUCK;
    if (status == OK) continue;
    if (accepts) record.suspects++;
    else refuse(reading, status);
  }
  if (channelRuleCount(record.channel) > 0) judgeRules(record, sample, accepts);
}

@inline
function refuse(reading: Reading, status: i32): void {
  reading.status = status;
  reading.bits = 0;
}

/** The text's id instead of its place; false when the dictionary is full. */
function takeText(reading: Reading): bool {
  const id = keepText(<usize><u32>reading.bits, <u32>(reading.bits >> 32));
  if (id == 0) refuse(reading, TEXT_LIMIT);
  else reading.bits = id;
  return id != 0;
}

function exceedsRate(reading: Reading, metric: usize, latest: Latest, event: i64): bool {
  const rate = metricMaxRate(metric);
  if (rate == Infinity || event <= latest.eventTime) return false;
  const kind = reading.kind;
  if (kind == KIND_TEXT || kind == KIND_BOOLEAN) return false;
  const change = Math.abs(doubleOf(kind, reading.bits) - doubleOf(kind, latest.bits));
  return change > rate * <f64>(event - latest.eventTime) / 1000;
}

/** Of a sample that is not historical. */
@inline
function isStuck(
  reading: Reading, metric: usize, section: usize, latest: Latest, event: i64,
): bool {
  if (event < latest.eventTime || reading.bits != latest.bits) return false;
  // A section that does not follow the plan yet may not tell since when.
  const stands = changetype<Section>(section).stands != 0;
  const since = stands ? load<i64>(sinceAt(latest)) : latest.eventTime;
  return event - since > metricStuckMs(metric);
}

/** All rules are judged on what was good before the first of them. */
function judgeRules(record: Record, sample: Sample, accepts: bool): void {
  const places = ruleScratch();
  let good: u64 = 0;
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status != OK) continue;
    good |= <u64>1 << reading.ordinal;
    store<u32>(places + (<usize>reading.ordinal << 2), sample.readingFirst + i);
  }
  let broken: u64 = 0;
  const count = channelRuleCount(record.channel);
  for (let i: u32 = 0; i < count; i++) {
    const rule = channelRule(record.channel, i);
    const left = load<u32>(rule, RULE_LEFT_AT);
    const right = load<u32>(rule, RULE_RIGHT_AT);
    const both = (<u64>1 << left) | (<u64>1 << right);
    if ((good & both) != both) continue;
    if (!holds(load<u32>(rule, RULE_OPERATOR_AT), valueAt(left), valueAt(right))) broken |= both;
  }
  if (broken == 0) return;
  if (accepts) {
    record.ruleSuspects = <u32>popcnt(broken);
    return;
  }
  for (let i: u32 = 0; i < sample.readingCount; i++) {
    const reading = readingAt(DECODED_AT, sample.readingFirst + i);
    if (reading.status == OK && ((broken >> reading.ordinal) & 1) != 0) {
      refuse(reading, RULE_BROKEN);
    }
  }
}

@inline
function valueAt(ordinal: u32): f64 {
  const reading = readingAt(DECODED_AT, load<u32>(ruleScratch() + (<usize>ordinal << 2)));
  return doubleOf(reading.kind, reading.bits);
}

@inline
function holds(operator: u32, left: f64, right: f64): bool {
  if (operator == OPERATOR_LESS) return left < right;
  if (operator == OPERATOR_LESS_EQUAL) return left <= right;
  return operator == OPERATOR_EQUAL ? left == right : left != right;
}
