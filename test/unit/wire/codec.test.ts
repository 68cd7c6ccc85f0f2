import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { DeviceRecord } from '../../../src/model/record.ts';
import { ChunkWriter, chunkMessages, type LogMessage } from '../../../src/wire/chunk.ts';
import { decodeRecordBatch, encodeRecordBatch } from '../../../src/wire/record-batch.ts';
import { parseTelemetrySubject, partitionOf } from '../../../src/wire/subject.ts';

const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const key = fc.oneof(
  fc.constant(undefined),
  fc.record({ eventId: fc.string({ minLength: 1, maxLength: 20 }) }),
  fc.record({ bootId: fc.bigInt(0n, 2n ** 64n - 1n), sequence: fc.bigInt(1n, 2n ** 64n - 1n) }),
);
const record: fc.Arbitrary<DeviceRecord> = fc
  .record({
    identity: fc.record({ tenant: id, site: id, device: id }, { noNullPrototype: true }),
    channel: id,
    receivedAtMs: fc.integer({ min: 0, max: 2 ** 52 }),
    payload: fc.uint8Array({ maxLength: 40 }),
    key,
  })
  .map(({ key: eventKey, ...rest }) => ({ ...rest, ...(eventKey ? { key: eventKey } : {}) }));

describe('the record-batch codec', () => {
  it('gives back every record it was given', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 5 }), (records) => {
        expect(decodeRecordBatch(encodeRecordBatch(records))).to.deep.equal(records);
      }),
    );
  });

  it('writes what protobufjs reads by proto/record_batch.proto', () => {
    const source = readFileSync('proto/record_batch.proto', 'utf8');
    const type = protobuf.parse(source).root.lookupType('millrace.RecordBatch');
    const [one] = fc.sample(record, { numRuns: 1, seed: 7 });
    const plain = type.toObject(type.decode(encodeRecordBatch([one])), { longs: String });
    expect(plain['records'][0].tenant).to.equal(one.identity.tenant);
    expect(plain['records'][0].receivedAtMs).to.equal(String(one.receivedAtMs));
  });

  it('refuses a truncated batch', () => {
    const [one] = fc.sample(record, { numRuns: 1, seed: 3 });
    const bytes = encodeRecordBatch([one]);
    expect(() => decodeRecordBatch(bytes.subarray(0, bytes.length - 1))).to.throw();
  });
});

describe('the chunk codec', () => {
  const message = fc.record({
    subject: id,
    headers: fc.uint8Array({ maxLength: 30 }),
    payload: fc.uint8Array({ maxLength: 3000 }),
    logTimeNs: fc.bigInt(0n, 2n ** 63n),
  });

  it('gives back every message in order, across growth of its buffer', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 60 }), (messages) => {
        const writer = new ChunkWriter();
        const sent: LogMessage[] = messages.map((each, at) => ({
          sequence: BigInt(at * 2 + 1),
          subject: each.subject,
          headers: each.headers,
          payload: each.payload,
          logTimeNs: each.logTimeNs,
        }));
        for (const each of sent) expect(writer.append(each)).to.equal(true);
        const chunk = writer.take();
        expect(chunk.count).to.equal(sent.length);
        expect(chunk.lastSequence).to.equal(sent[sent.length - 1].sequence);
        expect([...chunkMessages(chunk)]).to.deep.equal(sent);
      }),
    );
  });

  it('says when a message has no room any more', () => {
    const writer = new ChunkWriter();
    const payload = new Uint8Array(64 * 1024);
    let sequence = 1n;
    const next = () => ({
      sequence,
      logTimeNs: 1n,
      subject: 'a',
      headers: new Uint8Array(),
      payload,
    });
    while (writer.append(next())) sequence += 1n;
    expect(writer.take().count).to.equal(15);
    expect(writer.append(next())).to.equal(true);
  });
});

describe('subjects', () => {
  it('put a device into the partition that nats-server computes', () => {
    // FNV-1a 32 of the concatenated tokens, "abc".
    const identity = { tenant: 'a', site: 'b', device: 'c' };
    expect(partitionOf(identity, 16)).to.equal(0x1a47e90b % 16);
  });

  it('are parsed back into identity and channel', () => {
    expect(parseTelemetrySubject('log.main.3.iot.t.s.d.t.truck')).to.deep.equal({
      identity: { tenant: 't', site: 's', device: 'd' },
      channel: 'truck',
    });
    expect(parseTelemetrySubject('log.main.3.batch')).to.equal(null);
  });
});
