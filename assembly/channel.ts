/**
 * Reads channels, windows and metrics of a plan image through their own addresses (layout:
 * shared/plan-layout.ts). Nothing here writes.
 */
import * as P from './shared/plan-layout';
import { equalBytes, nameHash } from './text';

// --- channel -----------------------------------------------------------------------------------
@inline
export function channelId(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_ID_AT);
}
@inline
export function channelFormat(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_FORMAT_AT);
}
/** The byte before it holds its length. */
@inline
export function channelName(channel: usize): usize {
  return channel + load<u32>(channel, P.CHANNEL_NAME_AT);
}
@inline
export function channelNameBytes(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_NAME_BYTES_AT);
}
@inline
export function channelRetired(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_RETIRED_AT) != 0;
}
/** Metrics ever declared: ordinals 0 … count − 1, retired ones included. */
@inline
export function channelMetricCount(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_METRIC_COUNT_AT);
}
@inline
export function channelTable(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_TABLE_AT);
}
@inline
export function channelTimeFormat(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_TIME_FORMAT_AT);
}
@inline
export function channelTimeRequired(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_TIME_REQUIRED_AT) != 0;
}
/** POLICY_REJECT or POLICY_ACCEPT. */
@inline
export function channelAgePolicy(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_AGE_POLICY_AT);
}
@inline
export function channelClockPolicy(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_CLOCK_POLICY_AT);
}
@inline
export function channelIgnoresUnknown(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_UNKNOWN_METRICS_AT) != 0;
}
/** Presence bits of the required metrics and of all metrics in use. */
@inline
export function channelRequired(channel: usize): u64 {
  return load<u64>(channel, P.CHANNEL_REQUIRED_AT);
}
@inline
export function channelActive(channel: usize): u64 {
  return load<u64>(channel, P.CHANNEL_ACTIVE_AT);
}
/** The same of those whose kind is number. */
@inline
export function channelNumbers(channel: usize): u64 {
  return load<u64>(channel, P.CHANNEL_NUMBERS_AT);
}
@inline
export function channelOutOfOrderMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_OUT_OF_ORDER_AT);
}
@inline
export function channelLatenessMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_LATENESS_AT);
}
@inline
export function channelIdleMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_IDLE_AT);
}
@inline
export function channelMaxAgeMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_MAX_AGE_AT);
}
@inline
export function channelMaxClockSkewMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_MAX_CLOCK_SKEW_AT);
}
@inline
export function channelRetentionMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_RETENTION_AT);
}
@inline
export function channelTrie(channel: usize): usize {
  return channel + load<u32>(channel, P.CHANNEL_TRIE_AT);
}
@inline
export function channelMemberCount(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_MEMBER_COUNT_AT);
}

/** The samples are the elements of an array. */
@inline
export function channelArrayed(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_ARRAYED_AT) != 0;
}
/** FRAMING_NONE or FRAMING_CONFLUENT. */
@inline
export function channelFraming(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_FRAMING_AT);
}
@inline
export function channelTimeOfRecord(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_TIME_OF_RECORD_AT) != 0;
}
@inline
export function channelSuspectPolicy(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_SUSPECT_POLICY_AT);
}
@inline
export function channelContentDedup(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_CONTENT_DEDUP_AT) != 0;
}
@inline
export function channelTimelyMs(channel: usize): i64 {
  return load<i64>(channel, P.CHANNEL_TIMELY_AT);
}
/** SCORE_NONE, SCORE_EWMA or SCORE_SEASONAL. */
@inline
export function channelScore(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_SCORE_AT);
}
@inline
export function channelRuleCount(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_RULE_COUNT_AT);
}
/** Alerts ever declared, retired ones included. */
@inline
export function channelAlertCount(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_ALERT_COUNT_AT);
}
/** Some reading is judged by rate, sameness or a rule, or is a text. */
@inline
export function channelJudgesState(channel: usize): bool {
  return load<u32>(channel, P.CHANNEL_JUDGES_STATE_AT) != 0;
}
@inline
export function channelHasTexts(channel: usize): bool {
  return (load<u32>(channel, P.CHANNEL_JUDGES_STATE_AT) & P.JUDGES_TEXTS) != 0;
}
/** 1: some reading is judged by how long its value has stood. */
@inline
export function channelStands(channel: usize): u32 {
  return (load<u32>(channel, P.CHANNEL_JUDGES_STATE_AT) & P.JUDGES_STUCK) != 0 ? 1 : 0;
}
/** Decode program of the formats that have one, 0 = none. */
@inline
export function channelProgram(channel: usize): usize {
  const offset = load<u32>(channel, P.CHANNEL_PROGRAM_AT);
  return offset == 0 ? 0 : channel + offset;
}
@inline
export function channelRule(channel: usize, index: u32): usize {
  return channel + load<u32>(channel, P.CHANNEL_RULES_AT) + <usize>index * P.RULE_BYTES;
}
@inline
export function channelAlert(channel: usize, index: u32): usize {
  return channel + load<u32>(channel, P.CHANNEL_ALERTS_AT) + <usize>index * P.ALERT_BYTES;
}
/** True when the confluent prefix may name this schema. */
export function channelHasSchema(channel: usize, id: u32): bool {
  const list = channel + load<u32>(channel, P.CHANNEL_SCHEMA_IDS_AT);
  const count = load<u32>(channel, P.CHANNEL_SCHEMA_ID_COUNT_AT);
  for (let i: u32 = 0; i < count; i++) {
    if (load<u32>(list + (<usize>i << 2)) == id) return true;
  }
  return false;
}

@inline
export function metricAt(channel: usize, ordinal: u32): usize {
  return channel + load<u32>(channel, P.CHANNEL_METRICS_AT) + <usize>ordinal * P.METRIC_BYTES;
}

/** 0 when no metric in use has that name. */
export function findMetric(channel: usize, name: usize, nameBytes: u32): usize {
  const slots = channel + load<u32>(channel, P.CHANNEL_BY_NAME_AT);
  const mask = load<u32>(channel, P.CHANNEL_BY_NAME_MASK_AT);
  const hash = nameHash(name, nameBytes);
  let slot = hash & mask;
  while (true) {
    const at = slots + (<usize>slot << 3);
    const found = load<u32>(at, 4);
    if (found == 0) return 0;
    if (load<u32>(at) == hash) {
      const metric = metricAt(channel, found - 1);
      if (
        metricNameBytes(metric) == nameBytes &&
        equalBytes(metricName(metric), name, nameBytes)
      ) return metric;
    }
    slot = (slot + 1) & mask;
  }
}

// --- window ------------------------------------------------------------------------------------
@inline
export function channelWindowCount(channel: usize): u32 {
  return load<u32>(channel, P.CHANNEL_WINDOW_COUNT_AT);
}
@inline
export function windowAt(channel: usize, index: u32): usize {
  return channel + load<u32>(channel, P.CHANNEL_WINDOWS_AT) + <usize>index * P.WINDOW_BYTES;
}
@inline
export function windowLengthMs(channel: usize, index: u32): i64 {
  return load<i64>(windowAt(channel, index), P.WINDOW_LENGTH_AT);
}
@inline
export function windowRetentionMs(channel: usize, index: u32): i64 {
  return load<i64>(windowAt(channel, index), P.WINDOW_RETENTION_AT);
}
@inline
export function windowName(channel: usize, index: u32): usize {
  const window = windowAt(channel, index);
  return window + load<u32>(window, P.WINDOW_NAME_AT);
}
@inline
export function windowNameBytes(channel: usize, index: u32): u32 {
  return load<u32>(windowAt(channel, index), P.WINDOW_NAME_BYTES_AT);
}
/** Index of its table agg_<name>, shared by all channels that have a window of that name. */
@inline
export function windowTable(channel: usize, index: u32): u32 {
  return load<u32>(windowAt(channel, index), P.WINDOW_TABLE_AT);
}

/** WINDOW_TUMBLING … WINDOW_COUNT. */
@inline
export function windowKind(channel: usize, index: u32): u32 {
  return load<u32>(windowAt(channel, index), P.WINDOW_KIND_AT);
}
@inline
export function windowEveryMs(channel: usize, index: u32): i64 {
  return load<i64>(windowAt(channel, index), P.WINDOW_EVERY_AT);
}
@inline
export function windowGapMs(channel: usize, index: u32): i64 {
  return load<i64>(windowAt(channel, index), P.WINDOW_GAP_AT);
}
@inline
export function windowSamples(channel: usize, index: u32): u32 {
  return load<u32>(windowAt(channel, index), P.WINDOW_COUNT_AT);
}
@inline
export function windowEverySamples(channel: usize, index: u32): u32 {
  return load<u32>(windowAt(channel, index), P.WINDOW_EVERY_COUNT_AT);
}
@inline
export function windowSketches(channel: usize, index: u32): bool {
  return load<u32>(windowAt(channel, index), P.WINDOW_SKETCH_AT) != 0;
}

// --- metric ------------------------------------------------------------------------------------
@inline
export function metricOrdinal(metric: usize): u32 {
  return load<u32>(metric, P.METRIC_ORDINAL_AT);
}
/** KIND_NUMBER, KIND_INTEGER or KIND_BOOLEAN. */
@inline
export function metricKind(metric: usize): u32 {
  return load<u32>(metric, P.METRIC_KIND_AT);
}
@inline
export function metricFlags(metric: usize): u32 {
  return load<u32>(metric, P.METRIC_FLAGS_AT);
}
@inline
export function metricRetired(metric: usize): bool {
  return (metricFlags(metric) & P.METRIC_RETIRED) != 0;
}
@inline
export function metricIsRequired(metric: usize): bool {
  return (metricFlags(metric) & P.METRIC_REQUIRED) != 0;
}
/** The byte before it holds its length. */
@inline
export function metricName(metric: usize): usize {
  return metric + load<u32>(metric, P.METRIC_NAME_AT);
}
@inline
export function metricNameBytes(metric: usize): u32 {
  return load<u32>(metric, P.METRIC_NAME_BYTES_AT);
}
@inline
export function metricScale(metric: usize): f64 {
  return load<f64>(metric, P.METRIC_SCALE_AT);
}
@inline
export function metricOffset(metric: usize): f64 {
  return load<f64>(metric, P.METRIC_OFFSET_AT);
}
@inline
export function metricMin(metric: usize): f64 {
  return load<f64>(metric, P.METRIC_MIN_AT);
}
@inline
export function metricMax(metric: usize): f64 {
  return load<f64>(metric, P.METRIC_MAX_AT);
}
@inline
export function metricMinInteger(metric: usize): i64 {
  return load<i64>(metric, P.METRIC_MIN_INTEGER_AT);
}
@inline
export function metricMaxInteger(metric: usize): i64 {
  return load<i64>(metric, P.METRIC_MAX_INTEGER_AT);
}
/** Infinity: not judged. */
@inline
export function metricMaxRate(metric: usize): f64 {
  return load<f64>(metric, P.METRIC_MAX_RATE_AT);
}
/** Greatest i64: not judged. */
@inline
export function metricStuckMs(metric: usize): i64 {
  return load<i64>(metric, P.METRIC_STUCK_AT);
}
/** A length byte and the SenML unit, of length 0 when it is not compared. */
@inline
export function metricSentUnit(metric: usize): usize {
  return metric + load<u32>(metric, P.METRIC_SENT_UNIT_AT);
}

/** True when the text is among the values that the metric lists, or it lists none. */
export function metricAllows(metric: usize, text: usize, bytes: u32): bool {
  if ((metricFlags(metric) & P.METRIC_LISTED) == 0) return true;
  const slots = metric + load<u32>(metric, P.METRIC_VALUES_AT);
  const mask = load<u32>(metric, P.METRIC_VALUES_MASK_AT);
  const hash = nameHash(text, bytes);
  let slot = hash & mask;
  while (true) {
    const at = slots + (<usize>slot << 3);
    const offset = load<u32>(at, 4);
    if (offset == 0) return false;
    const value = metric + offset;
    if (load<u32>(at) == hash && load<u8>(value) == bytes && equalBytes(value + 1, text, bytes)) {
      return true;
    }
    slot = (slot + 1) & mask;
  }
}
