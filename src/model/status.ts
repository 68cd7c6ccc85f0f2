/**
 * Names of the kernel's statuses: what subjects, tables, metrics and people see, and what each
 * means. The numbers and their precedence live in assembly/shared/status.ts, compiled into the
 * kernel as well.
 */
import * as status from '../../assembly/shared/status.ts';

const numbers = Object.entries(status).filter(([name]) => name !== 'STATUS_COUNT');

/** Status number → name, e.g. 28 → 'OUT_OF_RANGE'. */
export const STATUS_NAMES: readonly string[] = numbers
  .sort((left, right) => left[1] - right[1])
  .map(([name]) => name);

export function statusName(number: number): string {
  return STATUS_NAMES[number] ?? `STATUS_${number}`;
}

export function statusNumber(name: string): number {
  return STATUS_NAMES.indexOf(name);
}

/** What a status is about: the whole record, one of its samples, or one reading. */
export type StatusScope = 'record' | 'sample' | 'reading' | 'row';

export interface StatusEntry {
  readonly scope: StatusScope;
  readonly meaning: string;
  readonly remedy: string;
}

export type StatusCode = Exclude<keyof typeof status, 'OK' | 'STATUS_COUNT'>;

const of =
  (scope: StatusScope) =>
  (meaning: string, remedy: string): StatusEntry => ({ scope, meaning, remedy });
const record = of('record');
const sample = of('sample');
const reading = of('reading');

/** The catalogue, in the order of precedence; docs/errors.md is checked against it. */
export const STATUSES: Readonly<Record<StatusCode, StatusEntry>> = {
  EMPTY: record(
    'The payload has no bytes.',
    'Look at what the device or its gateway publishes; an empty message says nothing.',
  ),
  BATCH_MALFORMED: record(
    'A message of the log is none that Millrace writes, or a batch that cannot be read.',
    'Find out who else writes to the log subjects; publish to `iot.>` instead.',
  ),
  IDENTITY_INVALID: record(
    'Tenant, site, device or channel is not an id: 1 to 64 of `A–Z a–z 0–9 _ -`.',
    'Correct the topic or subject that the device uses.',
  ),
  SKIPPED: record(
    'The kernel trapped at this record, and it has been passed over since (KERNEL_TRAPPED).',
    'Report it with its bytes: `millrace dlq show … --raw`.',
  ),
  DEVICE_UNKNOWN: record(
    'The policy of devices is strict, and this one is not listed.',
    'Add it to `devices.allow`, or find out who sends under its name.',
  ),
  CHANNEL_UNKNOWN: record(
    'No channel of this name is declared, or it is retired.',
    'Declare the channel, or correct the topic.',
  ),
  SCHEMA_UNKNOWN: record(
    'The payload begins with no schema id, or with one that the channel does not list.',
    'Add the id to the schema ids of the channel once the schema can be read.',
  ),
  PAYLOAD_MALFORMED: record(
    'The payload is not of the format that the channel declares; the offset says where.',
    'Compare the sample in the dead letter with the format; often a device uses another one.',
  ),
  PAYLOAD_TOO_DEEP: record(
    'A JSON payload nests more than 32 containers.',
    'Send the readings flatter.',
  ),
  LIMIT_EXCEEDED: record(
    'More samples, readings, bytes or aliases than a record may have, or devices than fit.',
    'Send smaller records, or raise `devices.max` and the memory of the kernel.',
  ),
  EVENT_ID_INVALID: record(
    'The key is there, but no key: an empty or long event id, a sequence that is 0 or no number.',
    'Send ids of 1 to 64 bytes, or sequences from 1 on.',
  ),
  NO_READINGS: record(
    'No sample has a reading of a declared metric.',
    'Declare the metrics, or correct their names or paths.',
  ),
  DUPLICATE: record(
    'The same record was stored before: by its event id, boot and sequence, or content.',
    'Nothing: this is how a retry looks. It is counted and has no dead letter.',
  ),
  DEDUP_UNKNOWN: record(
    'The record is older than what the device is remembered by: it may be a duplicate.',
    'Raise `devices.idsPerDevice` where devices send so much out of order.',
  ),
  TIME_MALFORMED: sample(
    'The time stamp cannot be read, or lies before 1900 or after 2299.',
    'Correct the time format of the channel, or the device.',
  ),
  TIME_MISSING: sample(
    'The sample has no time stamp and the channel requires one.',
    'Send one, or let the received time stand for it (`time.required: false`).',
  ),
  CLOCK_AHEAD: sample(
    'The time stamp lies farther after the received time than the channel allows.',
    'Set the clock of the device, or choose `clock.policy: correct`; `devices` shows the offset.',
  ),
  TOO_OLD: sample(
    'The sample is older than the channel accepts.',
    'Raise `age.max` of the channel when such late data is wanted.',
  ),
  TOO_LATE: sample(
    'The row would already have expired: the sample is older than the retention of its rows.',
    'Raise `retention` of the channel when such late data is wanted.',
  ),
  REQUIRED_MISSING: sample(
    'A required metric is not in the sample.',
    'Correct the device, or do not require the metric.',
  ),
  METRIC_UNKNOWN: reading(
    'A metric of this name or number is not declared, and the channel rejects unknown ones.',
    'Declare it, or choose `unknownMetrics: ignore`.',
  ),
  ALIAS_UNKNOWN: reading(
    'A Sparkplug alias that no birth has bound.',
    'Ask the edge node for a new birth (rebirth); its births may have been lost.',
  ),
  TYPE_MISMATCH: reading(
    'The value is of another kind than the metric, e.g. text for a number.',
    'Correct the kind of the metric, or the device.',
  ),
  UNIT_MISMATCH: reading(
    'The SenML unit is another than the one the metric is declared with.',
    'Declare the unit that is sent; Millrace converts it.',
  ),
  TEXT_LIMIT: reading(
    'A text over 256 bytes, or a new one when the partition already knows as many as it may.',
    'Texts are for few, repeating values; list them in `values`, or raise `texts.max`.',
  ),
  NOT_FINITE: reading(
    'The value is not a number or infinite, or becomes so when it is converted.',
    'Let the device leave the reading out when it has none.',
  ),
  NOT_LISTED: reading(
    'The text is none of the values that the metric lists.',
    'Add it to `values`, or correct the device.',
  ),
  OUT_OF_RANGE: reading(
    'The value, in the unit of the metric, lies outside its range.',
    'Check the sensor; widen the range when the value is real.',
  ),
  RATE_EXCEEDED: reading(
    'The value has changed faster since the latest one than the metric can.',
    'Check the sensor; raise the greatest rate, or only mark such readings as suspect.',
  ),
  VALUE_STUCK: reading(
    'The very same value has come for longer than the metric can stay still.',
    'Check the sensor; raise the time, or only mark such readings as suspect.',
  ),
  RULE_BROKEN: reading(
    'Two metrics of the sample contradict a rule of the channel; both are rejected.',
    'Check both sensors; correct the rule, or only mark such readings as suspect.',
  ),
  SINK_REFUSED: {
    scope: 'row',
    meaning: 'ClickHouse refused a row for what it holds; the sample is that row as JSON.',
    remedy: 'Read the reason in the log; a table that was changed by hand is the usual one.',
  },
};
