/**
 * What generated logs met: a comparison over logs that never hold a thing proves nothing about it.
 * In: logs and what came of them. Out: what was never met, of formats, states of records, flags of
 * samples and statuses.
 */
import {
  FLAG_HISTORICAL,
  FLAG_LATE,
  FLAG_PARTLY,
  FLAG_SUSPECT,
  FLAG_TIME_CORRECTED,
  FLAG_TIME_RECEIVED,
  FLAG_UNJUDGED_TIME,
} from '../../assembly/shared/abi.ts';
import { SINK_REFUSED } from '../../assembly/shared/status.ts';
import type { PayloadFormat, Plan } from '../../src/model/plan.ts';
import { statusName } from '../../src/model/status.ts';
import type { Outcome } from './drive.ts';
import type { Stream } from './generator.ts';

const FORMATS: readonly PayloadFormat[] = [
  ...(['protobuf', 'protobuf-message', 'json', 'sparkplug'] as const),
  ...(['senml-json', 'senml-cbor', 'avro'] as const),
];
const FRAMED = ['protobuf', 'protobuf-message', 'json', 'avro'];
const STATES = [
  ...['stored', 'partly', 'duplicate', 'dedup_unknown', 'too_late', 'rejected'],
  ...['filtered', 'skipped'],
];
const FLAGS = {
  ...{ FLAG_HISTORICAL, FLAG_LATE, FLAG_PARTLY, FLAG_SUSPECT },
  ...{ FLAG_TIME_CORRECTED, FLAG_TIME_RECEIVED, FLAG_UNJUDGED_TIME },
};
/** All but OK and what the host's sinks refuse. */
const STATUSES = Array.from({ length: SINK_REFUSED - 1 }, (_, place) => place + 1);

export class Sights {
  readonly #seen = new Set<string>();

  take(stream: Stream, { tables, deadLetters }: Outcome): void {
    const formats = formatsOf(stream);
    for (const row of tables.get('ledger') ?? []) {
      for (const state of STATES) if (row[state] !== 0n) this.#seen.add(state);
      for (const reason of row['reason'] as string[]) this.#seen.add(reason);
    }
    for (const { channel, reason } of deadLetters) {
      for (const format of formats.get(channel) ?? []) this.#seen.add(`${format} ${reason}`);
    }
    for (const [table, rows] of tables) {
      if (!table.startsWith('ch_')) continue;
      for (const format of formats.get(table.slice(3)) ?? []) this.#seen.add(`${format} stored`);
      for (const { flags } of rows) {
        for (const [name, flag] of Object.entries(FLAGS)) {
          if (((flags as number) & flag) !== 0) this.#seen.add(name);
        }
      }
    }
  }

  lacking(): string[] {
    const ofFormats = FORMATS.flatMap((format) => [
      `${format} stored`,
      `${format} PAYLOAD_MALFORMED`,
      ...(FRAMED.includes(format) ? [`confluent ${format} stored`] : []),
    ]);
    const others = ['confluent avro SCHEMA_UNKNOWN', 'confluent protobuf-message SCHEMA_UNKNOWN'];
    const wanted = [
      ...[...ofFormats, ...others, ...STATES, ...Object.keys(FLAGS)],
      ...STATUSES.map(statusName),
    ];
    return wanted.filter((each) => !this.#seen.has(each));
  }
}

/** Of each channel, also 'confluent …' where it has the prefix. */
function formatsOf({ messages }: Stream): Map<string, string[]> {
  const plans = messages.filter(({ subject }) => subject.endsWith('.plan'));
  const channels = plans.flatMap(
    ({ payload }) => (JSON.parse(Buffer.from(payload).toString('utf8')) as Plan).channels,
  );
  return new Map(
    channels.map(({ name, format, framing }) => [
      name,
      framing === 'none' ? [format] : [format, `confluent ${format}`],
    ]),
  );
}
