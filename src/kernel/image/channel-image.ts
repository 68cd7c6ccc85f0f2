/**
 * One channel of a plan image: its record, windows, metrics, index of metric names and trie of JSON
 * paths. Offsets inside are relative to the record that holds them (plan-layout.ts).
 */
import * as A from '../../../assembly/shared/abi.ts';
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel, PlanMetric, PlanWindow } from '../../model/plan.ts';
import { writeAvro } from './avro-image.ts';
import { writeAlerts, writeRules } from './condition-image.ts';
import type { ImageWriter } from './image-writer.ts';
import { writeNames } from './name-program.ts';
import { writeTrie } from './plan-trie.ts';
import { writeProtobufProgram } from './protobuf-program.ts';
import type { TableIndexes } from './table-image.ts';

const FORMATS = {
  protobuf: A.FORMAT_PROTOBUF,
  json: A.FORMAT_JSON,
  'protobuf-message': A.FORMAT_PROTOBUF_MESSAGE,
  sparkplug: A.FORMAT_SPARKPLUG,
  'senml-json': A.FORMAT_SENML_JSON,
  'senml-cbor': A.FORMAT_SENML_CBOR,
  avro: A.FORMAT_AVRO,
} as const;
/** Metrics are found by what the payload calls them. */
const NAMED_FORMATS: ReadonlySet<string> = new Set(['sparkplug', 'senml-json', 'senml-cbor']);
const WINDOW_KINDS = {
  tumbling: A.WINDOW_TUMBLING,
  hopping: A.WINDOW_HOPPING,
  session: A.WINDOW_SESSION,
  count: A.WINDOW_COUNT,
} as const;
const POLICIES = {
  reject: A.POLICY_REJECT,
  accept: A.POLICY_ACCEPT,
  correct: A.POLICY_CORRECT,
} as const;
const SCORES = { none: A.SCORE_NONE, ewma: A.SCORE_EWMA, seasonal: A.SCORE_SEASONAL } as const;
const TIME_FORMATS = {
  iso8601: A.TIME_ISO8601,
  s: A.TIME_S,
  ms: A.TIME_MS,
  us: A.TIME_US,
  ns: A.TIME_NS,
} as const;
const KINDS = {
  number: A.KIND_NUMBER,
  integer: A.KIND_INTEGER,
  boolean: A.KIND_BOOLEAN,
  text: A.KIND_TEXT,
} as const;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

export function writeChannel(
  writer: ImageWriter,
  channel: PlanChannel,
  indexes: TableIndexes,
): number {
  assert(channel.metrics.length <= A.METRICS_PER_CHANNEL_MAX, 'one presence bit per metric');
  assert(channel.windows.length <= A.WINDOWS_PER_CHANNEL_MAX, 'few windows per channel');
  const at = writer.reserve(L.CHANNEL_BYTES);
  writePolicies(writer, at, channel);
  const name = writer.name(channel.name);
  writer.u32(at + L.CHANNEL_NAME_AT, name.at - at);
  writer.u32(at + L.CHANNEL_NAME_BYTES_AT, name.bytes);
  writer.u32(at + L.CHANNEL_TABLE_AT, indexes.ofChannel(channel));
  writeWindows(writer, at, { windows: channel.windows, indexes });
  writeMetrics(writer, at, channel.metrics);
  writeConditions(writer, at, channel);
  writePrefix(writer, at, channel);
  if (channel.format === 'json' && !channel.retired) {
    const trie = writeTrie(writer, channel);
    writer.u32(at + L.CHANNEL_TRIE_AT, trie.root - at);
    writer.u32(at + L.CHANNEL_MEMBER_COUNT_AT, trie.memberCount);
  }
  if (NAMED_FORMATS.has(channel.format) && !channel.retired) {
    const names = writeNames(writer, channel.metrics, channel.name);
    writer.u32(at + L.CHANNEL_PROGRAM_AT, names - at);
  }
  if (channel.format === 'avro' && !channel.retired) {
    writer.u32(at + L.CHANNEL_PROGRAM_AT, writeAvro(writer, channel) - at);
  }
  if (channel.format === 'protobuf-message' && !channel.retired) {
    writer.u32(at + L.CHANNEL_PROGRAM_AT, writeProtobufProgram(writer, channel) - at);
  }
  return at;
}

function writePolicies(writer: ImageWriter, at: number, channel: PlanChannel): void {
  writer.u32(at + L.CHANNEL_ID_AT, channel.id);
  writer.u32(at + L.CHANNEL_FORMAT_AT, FORMATS[channel.format]);
  writer.u32(at + L.CHANNEL_RETIRED_AT, channel.retired ? 1 : 0);
  writer.u32(at + L.CHANNEL_TIME_FORMAT_AT, TIME_FORMATS[channel.timeFormat]);
  writer.u32(at + L.CHANNEL_TIME_REQUIRED_AT, channel.timeRequired ? 1 : 0);
  writer.u32(at + L.CHANNEL_AGE_POLICY_AT, POLICIES[channel.agePolicy]);
  writer.u32(at + L.CHANNEL_CLOCK_POLICY_AT, POLICIES[channel.clockPolicy]);
  writer.u32(at + L.CHANNEL_UNKNOWN_METRICS_AT, channel.unknownMetrics === 'ignore' ? 1 : 0);
  const confluent = channel.framing === 'confluent';
  writer.u32(at + L.CHANNEL_FRAMING_AT, confluent ? A.FRAMING_CONFLUENT : A.FRAMING_NONE);
  writer.u32(at + L.CHANNEL_TIME_OF_RECORD_AT, channel.timeOf === 'record' ? 1 : 0);
  writer.u32(at + L.CHANNEL_ARRAYED_AT, channel.samplesPath.length > 0 ? 1 : 0);
  writer.u32(at + L.CHANNEL_SUSPECT_POLICY_AT, POLICIES[channel.suspectPolicy]);
  writer.u32(at + L.CHANNEL_CONTENT_DEDUP_AT, channel.contentDedup ? 1 : 0);
  writer.u32(at + L.CHANNEL_SCORE_AT, SCORES[channel.score]);
  writer.u64(at + L.CHANNEL_TIMELY_AT, BigInt(channel.timelyMs));
  writer.u64(at + L.CHANNEL_OUT_OF_ORDER_AT, BigInt(channel.outOfOrderMs));
  writer.u64(at + L.CHANNEL_LATENESS_AT, BigInt(channel.latenessMs));
  writer.u64(at + L.CHANNEL_IDLE_AT, BigInt(channel.idleMs));
  writer.u64(at + L.CHANNEL_MAX_AGE_AT, BigInt(channel.maxAgeMs));
  writer.u64(at + L.CHANNEL_MAX_CLOCK_SKEW_AT, BigInt(channel.maxClockSkewMs));
  writer.u64(at + L.CHANNEL_RETENTION_AT, BigInt(channel.retentionMs));
}

/** What the confluent prefix may say. proto/telemetry.proto's Telemetry comes first in its file. */
function writePrefix(writer: ImageWriter, at: number, channel: PlanChannel): void {
  const indexes = channel.schema?.kind === 'protobuf' ? channel.schema.indexPath : [0];
  writer.u32(at + L.CHANNEL_SCHEMA_IDS_AT, writer.numbers(channel.schemaIds) - at);
  writer.u32(at + L.CHANNEL_SCHEMA_ID_COUNT_AT, channel.schemaIds.length);
  writer.u32(at + L.CHANNEL_INDEXES_AT, writer.numbers(indexes) - at);
  writer.u32(at + L.CHANNEL_INDEX_COUNT_AT, indexes.length);
}

function writeWindows(
  writer: ImageWriter,
  channel: number,
  { windows, indexes }: { windows: readonly PlanWindow[]; indexes: TableIndexes },
): void {
  const list = writer.reserve(windows.length * L.WINDOW_BYTES);
  writer.u32(channel + L.CHANNEL_WINDOW_COUNT_AT, windows.length);
  writer.u32(channel + L.CHANNEL_WINDOWS_AT, list - channel);
  windows.forEach((window, i) => {
    const at = list + i * L.WINDOW_BYTES;
    const name = writer.name(window.name);
    assert(window.lengthMs < 2 ** 32, 'times in a window are offsets of 32 bits');
    writer.u64(at + L.WINDOW_LENGTH_AT, BigInt(window.lengthMs));
    writer.u64(at + L.WINDOW_RETENTION_AT, BigInt(window.retentionMs));
    writer.u32(at + L.WINDOW_NAME_AT, name.at - at);
    writer.u32(at + L.WINDOW_NAME_BYTES_AT, name.bytes);
    writer.u32(at + L.WINDOW_TABLE_AT, indexes.ofWindow(window));
    writer.u32(at + L.WINDOW_KIND_AT, WINDOW_KINDS[window.kind]);
    writer.u64(at + L.WINDOW_EVERY_AT, BigInt(window.everyMs));
    writer.u64(at + L.WINDOW_GAP_AT, BigInt(window.gapMs));
    writer.u32(at + L.WINDOW_COUNT_AT, window.count);
    writer.u32(at + L.WINDOW_EVERY_COUNT_AT, window.everyCount);
    writer.u32(at + L.WINDOW_SKETCH_AT, window.sketch ? 1 : 0);
  });
}

function writeMetrics(writer: ImageWriter, channel: number, metrics: readonly PlanMetric[]): void {
  const list = writer.reserve(metrics.length * L.METRIC_BYTES);
  let required = 0n;
  let active = 0n;
  let numbers = 0n;
  const inUse: { key: Uint8Array; value: number }[] = [];
  metrics.forEach((metric, i) => {
    assert(metric.ordinal === i, `metric ${metric.name} lies at its ordinal ${metric.ordinal}`);
    writeMetric(writer, list + i * L.METRIC_BYTES, metric);
    if (metric.retired) return;
    active |= 1n << BigInt(i);
    if (metric.kind === 'number') numbers |= 1n << BigInt(i);
    if (metric.required) required |= 1n << BigInt(i);
    inUse.push({ key: new TextEncoder().encode(metric.name), value: i + 1 });
  });
  const byName = writer.hashTable(inUse);
  writer.u32(channel + L.CHANNEL_METRIC_COUNT_AT, metrics.length);
  writer.u32(channel + L.CHANNEL_METRICS_AT, list - channel);
  writer.u64(channel + L.CHANNEL_REQUIRED_AT, required);
  writer.u64(channel + L.CHANNEL_ACTIVE_AT, active);
  writer.u64(channel + L.CHANNEL_NUMBERS_AT, numbers);
  writer.u32(channel + L.CHANNEL_BY_NAME_AT, byName.at - channel);
  writer.u32(channel + L.CHANNEL_BY_NAME_MASK_AT, byName.mask);
}

function writeMetric(writer: ImageWriter, at: number, metric: PlanMetric): void {
  const identity = metric.scale === 1 && metric.offset === 0;
  const flags =
    (metric.required ? L.METRIC_REQUIRED : 0) |
    (metric.retired ? L.METRIC_RETIRED : 0) |
    (metric.min !== null ? L.METRIC_HAS_MIN : 0) |
    (metric.max !== null ? L.METRIC_HAS_MAX : 0) |
    (identity ? L.METRIC_IDENTITY : 0) |
    (metric.values !== null ? L.METRIC_LISTED : 0);
  const name = writer.name(metric.name);
  const min = metric.min ?? Number.NEGATIVE_INFINITY;
  const max = metric.max ?? Number.POSITIVE_INFINITY;
  const integers = integersInside(min, max);
  writer.u32(at + L.METRIC_ORDINAL_AT, metric.ordinal);
  writer.u32(at + L.METRIC_KIND_AT, KINDS[metric.kind]);
  writer.u32(at + L.METRIC_FLAGS_AT, flags);
  writer.u32(at + L.METRIC_NAME_AT, name.at - at);
  writer.u32(at + L.METRIC_NAME_BYTES_AT, name.bytes);
  writer.f64(at + L.METRIC_SCALE_AT, metric.scale);
  writer.f64(at + L.METRIC_OFFSET_AT, metric.offset);
  writer.f64(at + L.METRIC_MIN_AT, min);
  writer.f64(at + L.METRIC_MAX_AT, max);
  writer.u64(at + L.METRIC_MIN_INTEGER_AT, integers.least);
  writer.u64(at + L.METRIC_MAX_INTEGER_AT, integers.greatest);
  writer.f64(at + L.METRIC_MAX_RATE_AT, metric.maxRatePerSecond ?? Number.POSITIVE_INFINITY);
  writer.u64(at + L.METRIC_STUCK_AT, metric.stuckMs === null ? INT64_MAX : BigInt(metric.stuckMs));
  writer.u32(at + L.METRIC_SENT_UNIT_AT, writer.name(metric.sentUnit).at - 1 - at);
  if (metric.values === null) return;
  const values = writer.hashTable(
    metric.values.map((value) => {
      const text = writer.name(value);
      return { key: new TextEncoder().encode(value), value: text.at - 1 - at };
    }),
  );
  writer.u32(at + L.METRIC_VALUES_AT, values.at - at);
  writer.u32(at + L.METRIC_VALUES_MASK_AT, values.mask);
}

function writeConditions(writer: ImageWriter, at: number, channel: PlanChannel): void {
  const stuck = channel.metrics.some((metric) => metric.stuckMs !== null);
  const rates = channel.metrics.some((metric) => metric.maxRatePerSecond !== null);
  const texts = channel.metrics.some((metric) => metric.kind === 'text');
  const what =
    (stuck || rates || channel.rules.length > 0 ? L.JUDGES_VALUES : 0) |
    (texts ? L.JUDGES_TEXTS : 0) |
    (stuck ? L.JUDGES_STUCK : 0);
  writer.u32(at + L.CHANNEL_JUDGES_STATE_AT, what);
  writer.u32(at + L.CHANNEL_RULE_COUNT_AT, channel.rules.length);
  writer.u32(at + L.CHANNEL_RULES_AT, writeRules(writer, channel.rules) - at);
  writer.u32(at + L.CHANNEL_ALERT_COUNT_AT, channel.alerts.length);
  writer.u32(at + L.CHANNEL_ALERTS_AT, writeAlerts(writer, channel.alerts) - at);
}

/** Least and greatest Int64 in [min, max]; an empty range (least > greatest) when there is none. */
function integersInside(min: number, max: number): { least: bigint; greatest: bigint } {
  const empty = { least: INT64_MAX, greatest: INT64_MIN };
  if (min >= 2 ** 63 || max < -(2 ** 63)) return empty;
  return {
    least: min < -(2 ** 63) ? INT64_MIN : BigInt(Math.ceil(min)),
    greatest: max >= 2 ** 63 ? INT64_MAX : BigInt(Math.floor(max)),
  };
}
