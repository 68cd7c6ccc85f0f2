/**
 * What may enter the log. In: a record as a door made it. Out: its bytes in a record batch, or the
 * reason it is refused. Payloads are not looked into; a record with a wrong payload is admitted and
 * becomes a dead letter, so that nothing bad is silent.
 */

import { OperatingError } from '../model/error.ts';
import { EVENT_ID_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../model/limit.ts';
import { type DeviceRecord, ID_PATTERN } from '../model/record.ts';
import { encodeRecord } from '../wire/record-batch.ts';

const SHOWN_CHARACTERS = 80;

/** The encoded record; IDENTITY_INVALID or RECORD_TOO_LARGE otherwise. */
export function admissible(record: DeviceRecord): Uint8Array {
  const names = { ...record.identity, channel: record.channel };
  for (const [what, value] of Object.entries(names)) {
    if (!ID_PATTERN.test(value)) throw invalidId(what, value);
  }
  if (record.payload.length > PAYLOAD_BYTES_MAX) {
    const device = `${names.tenant}/${names.site}/${names.device}`;
    throw new OperatingError(
      'RECORD_TOO_LARGE',
      `record of ${device} on ${record.channel}: payload of ${record.payload.length} B, at most ${PAYLOAD_BYTES_MAX} B are allowed; send it in several records`,
      { where: { ...names, payloadBytes: record.payload.length } },
    );
  }
  if (record.key && 'eventId' in record.key) {
    const bytes = Buffer.byteLength(record.key.eventId);
    if (bytes > 4 * EVENT_ID_BYTES_MAX) {
      throw new OperatingError(
        'RECORD_TOO_LARGE',
        `event id of ${bytes} B, at most ${EVENT_ID_BYTES_MAX} B are allowed; use a shorter id`,
        { where: names },
      );
    }
  }
  return encodeRecord(record);
}

function invalidId(what: string, value: string): OperatingError {
  const shown = JSON.stringify(value.slice(0, SHOWN_CHARACTERS));
  return new OperatingError(
    'IDENTITY_INVALID',
    `${what} ${shown} is not an id: expected 1 to 64 characters of A-Z, a-z, 0-9, "_" and "-"`,
    { where: { what } },
  );
}

export function stopped(): OperatingError {
  return new OperatingError('INGEST_STOPPED', 'ingest is stopping: send the record again later');
}
