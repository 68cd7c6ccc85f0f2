import { expect } from 'chai';
import { dump, recordOf } from '../../../src/cli/use/dlq.ts';
import { decode } from '../../../src/cli/use/tail.ts';
import type { DeviceRecord } from '../../../src/model/record.ts';
import { encodeFact } from '../../../src/wire/fact.ts';
import { encodeRecordBatch } from '../../../src/wire/record-batch.ts';

const record = (payload: string | Uint8Array, more: Partial<DeviceRecord> = {}): DeviceRecord => ({
  identity: { tenant: 't', site: 's', device: 'd' },
  channel: 'c',
  receivedAtMs: 7,
  payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
  ...more,
});
const BATCH = encodeRecordBatch([
  record('{"a":1}', { key: { eventId: 'e' } }),
  record(Uint8Array.of(0xff, 0x00), { key: { bootId: 2n, sequence: 3n } }),
]);
const BINARY = Uint8Array.of(0xff, 0x00);
const NATIVE = 'log.main.0.iot.t.s.d.t.c';
const SHADOW = {
  kind: 'shadow',
  identity: { tenant: 't', site: 's', device: 'd' },
  version: { generation: 1, sequence: 2n, ordinal: 3 },
  partition: 4,
  logTimeMs: 5,
  reported: [],
} as const;

describe('what tail shows', () => {
  it('shows the records of a batch one by one, with their keys', () => {
    const shared = { tenant: 't', site: 's', device: 'd', channel: 'c', receivedAtMs: 7 };
    expect(decode('log.main.0.batch', BATCH)).to.deep.equal([
      { ...shared, eventId: 'e', payload: { a: 1 } },
      { ...shared, bootId: '2', sequence: '3', payload: { base64: '/wA=' } },
    ]);
  });

  it('shows a native publish with its device', () => {
    expect(decode(NATIVE, Buffer.from('hi'))).to.deep.equal([
      { tenant: 't', site: 's', device: 'd', channel: 'c', payload: 'hi' },
    ]);
  });

  it('shows a fact alike in both formats', () => {
    const [json] = decode('shadow.t.s.d', encodeFact(SHADOW));
    expect(json).to.include({ kind: 'shadow', device: 'd', logTimeMs: 5 });
    expect(decode('shadow.t.s.d', encodeFact(SHADOW, 'protobuf'))).to.deep.equal([json]);
  });

  it('shows what is no fact and no batch as it is', () => {
    expect(decode('agg.x', Buffer.from('plain'))).to.deep.equal(['plain']);
    expect(decode('log.main.0.batch', BINARY)).to.deep.equal([{ base64: '/wA=' }]);
  });
});

describe('the record behind a dead letter', () => {
  const message = (subject: string, payload: Uint8Array) => ({
    subject,
    payload,
    logTimeNs: 9_000_000n,
  });

  it('is found by its place in the batch, byte for byte', () => {
    const found = recordOf(message('log.main.0.batch', BATCH), 1);
    expect(found?.identity).to.deep.equal({ tenant: 't', site: 's', device: 'd' });
    expect([...(found?.payload ?? [])]).to.deep.equal([...BINARY]);
    expect(recordOf(message('log.main.0.batch', BATCH), 2)).to.equal(null);
  });

  it('is the whole message of a native publish', () => {
    const found = recordOf(message(NATIVE, BINARY), 0);
    expect(found).to.deep.include({ channel: 'c', receivedAtMs: 9 });
    expect([...(found?.payload ?? [])]).to.deep.equal([...BINARY]);
    expect(recordOf(message(NATIVE, BINARY), 1)).to.equal(null);
  });

  it('is the whole message when the batch cannot be read', () => {
    const found = recordOf(message('log.main.0.batch', BINARY), 0);
    expect(found?.identity).to.equal(null);
    expect([...(found?.payload ?? [])]).to.deep.equal([...BINARY]);
  });

  it('is shown as text when it is text, else in hexadecimal', () => {
    expect(dump(Buffer.from('{"ä":1}\n'))).to.deep.equal(['{"ä":1}\n']);
    expect(dump(Uint8Array.of(0xff, 0x41, 0x00))).to.deep.equal([
      `000000  ${'ff 41 00 '.padEnd(48)} .A.`,
    ]);
  });
});
