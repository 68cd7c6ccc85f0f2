/**
 * A record batch as a Node program reads it: protobufjs' minimal reader, strings and a view of the
 * payload. 64-bit integers below 2^53 as numbers, without a Long object: what is fastest.
 */
import protobuf from 'protobufjs/minimal.js';

export interface PeerRecord {
  tenant: string;
  site: string;
  device: string;
  channel: string;
  receivedAtMs: number;
  payload: Uint8Array;
  boot: string;
  sequence: number;
}

const HIGH = 2 ** 32;
const NO_BYTES = new Uint8Array(0);

export function readBatch(body: Uint8Array): PeerRecord[] {
  const reader = protobuf.Reader.create(body);
  const records: PeerRecord[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag !== 0x0a) {
      reader.skipType(tag & 7);
      continue;
    }
    const end = reader.uint32() + reader.pos;
    records.push(readRecord(reader, end));
  }
  return records;
}

function readRecord(reader: protobuf.Reader, end: number): PeerRecord {
  const record: PeerRecord = {
    tenant: '',
    site: '',
    device: '',
    channel: '',
    receivedAtMs: 0,
    payload: NO_BYTES,
    boot: '',
    sequence: 0,
  };
  while (reader.pos < end) {
    const tag = reader.uint32();
    switch (tag >>> 3) {
      case 1:
        record.tenant = reader.string();
        break;
      case 2:
        record.site = reader.string();
        break;
      case 3:
        record.device = reader.string();
        break;
      case 4:
        record.channel = reader.string();
        break;
      case 5:
        record.receivedAtMs = reader.fixed32() + reader.fixed32() * HIGH;
        break;
      case 6:
        record.payload = reader.bytes();
        break;
      case 8:
        record.boot = `${reader.fixed32()}-${reader.fixed32()}`;
        break;
      case 9:
        record.sequence = reader.uint32();
        break;
      default:
        reader.skipType(tag & 7);
    }
  }
  return record;
}
