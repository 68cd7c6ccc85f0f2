/**
 * Record batches as any writer of Protobuf may put them: the usual order, which the kernel reads
 * without a loop (assembly/batch.ts), and everything beside it. Rows, facts, dead letters and
 * ledger equal the reference's in every build.
 */
import { expect } from 'chai';
import { ID_BYTES_MAX } from '../../assembly/shared/abi.ts';
import { everyBuild } from './build.ts';
import { difference, drive, GENERATION, lines, runReference } from './drive.ts';
import { all, LOG, LogWriter, PARTITION, START_MS } from './log-writer.ts';
import { channelOf, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { encodeTelemetry } from './telemetry.ts';

type Field = Uint8Array;

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >>> 7)];
const text = (field: number, value: string | Uint8Array): Field =>
  Buffer.from([...varint((field << 3) | 2), ...varint(value.length), ...Buffer.from(value)]);
const fixed = (field: number, value: bigint): Field => {
  const bytes = Buffer.alloc(9);
  bytes[0] = (field << 3) | 1;
  bytes.writeBigUInt64LE(value, 1);
  return bytes;
};
const number = (field: number, value: number): Field =>
  Buffer.from([...varint(field << 3), ...varint(value)]);

const TENANT = text(1, 't1');
const SITE = text(2, 's1');
const DEVICE = text(3, 'd1');
const CHANNEL = text(4, 'c');
const IDS = [TENANT, SITE, DEVICE, CHANNEL];
const RECEIVED = fixed(5, BigInt(START_MS));
const BOOT = fixed(8, 7n);
const reading = (value: number) =>
  encodeTelemetry({
    samples: [{ timeMs: START_MS + value, readings: [{ metric: 1, number: value }] }],
  });
const PAYLOAD = text(6, reading(1));
const key = (sequence: number): Field[] => [BOOT, number(9, sequence)];
const record = (...fields: Field[]): Field => text(1, Buffer.concat(fields));
/** A payload of about so many bytes: an unknown field goes with the reading. */
const long = (bytes: number): Field =>
  text(6, Buffer.concat([reading(1), text(15, 'x'.repeat(bytes))]));
const named = (tenant: string, site: string, device: string): Field[] => [
  ...[text(1, tenant), text(2, site), text(3, device), CHANNEL],
  ...[RECEIVED, PAYLOAD],
];
const id = (bytes: number): string => 'i'.repeat(bytes);
const many = (count: number): Field[] =>
  Array.from({ length: count }, (_, index) => {
    const device = text(3, `d${index % 70}`);
    const payload = text(6, reading(index));
    return record(TENANT, SITE, device, CHANNEL, RECEIVED, payload, ...key(index + 1));
  });

const BATCHES: readonly (readonly [string, readonly Field[]])[] = [
  ['the usual order', [record(...IDS, RECEIVED, PAYLOAD, ...key(1))]],
  ['without a key', [record(...IDS, RECEIVED, PAYLOAD)]],
  ['without a time', [record(...IDS, PAYLOAD, ...key(1))]],
  ['an event id behind the payload', [record(...IDS, RECEIVED, PAYLOAD, text(7, 'e1'))]],
  ['a kind behind the payload', [record(...IDS, RECEIVED, PAYLOAD, text(10, 'NDATA'))]],
  ['a sequence of two bytes', [record(...IDS, RECEIVED, PAYLOAD, ...key(300))]],
  ['a sequence of three bytes', [record(...IDS, RECEIVED, PAYLOAD, ...key(70_000))]],
  ['a sequence of nought', [record(...IDS, RECEIVED, PAYLOAD, ...key(0))]],
  ['a payload of 127, 128, 129 bytes', [86, 87, 88, 89, 90].map((n) => record(...IDS, long(n)))],
  ['a payload of three bytes of length', [record(...IDS, RECEIVED, long(20_000), ...key(1))]],
  ['an empty payload', [record(...IDS, RECEIVED, text(6, ''), ...key(1))]],
  ['no payload', [record(...IDS, RECEIVED, ...key(1))]],
  ['ids alone', [record(...IDS)]],
  ['fields backwards', [record(...[...IDS, RECEIVED, PAYLOAD, ...key(1)].reverse())]],
  ['unknown fields in the midst', [record(text(12, 'x'), ...IDS, text(13, 'y'), PAYLOAD)]],
  ['unknown fields between records', [record(...IDS, PAYLOAD), text(2, 'x'), number(3, 300)]],
  ['a device named again at the end', [record(...IDS, RECEIVED, PAYLOAD, text(3, 'd2'))]],
  [
    'a tenant named again, and longer',
    [record(...IDS, RECEIVED, PAYLOAD, ...key(1), text(1, 'tenant-2'))],
  ],
  ['a channel named again', [record(text(1, 't1'), SITE, DEVICE, text(4, 'x'), PAYLOAD, CHANNEL)]],
  ['a device taken back', [record(...IDS, RECEIVED, PAYLOAD, text(3, ''))]],
  ['an empty tenant', [record(...named('', 's', 'd'))]],
  ['an empty device', [record(...named('t', 's', ''))]],
  ['an empty channel', [record(TENANT, SITE, DEVICE, text(4, ''), PAYLOAD)]],
  ['no device', [record(TENANT, SITE, CHANNEL, PAYLOAD)]],
  ...[1, 15, 16, 17, 32, ID_BYTES_MAX].map((bytes): [string, Field[]] => [
    `ids of ${bytes} bytes`,
    [record(...named(id(bytes), id(bytes), id(bytes))), record(...named(id(1), id(bytes), id(2)))],
  ]),
  ...[ID_BYTES_MAX + 1, 127, 128, 300].map((bytes): [string, Field[]] => [
    `an id of ${bytes} bytes, which is too long`,
    [record(...named('t', id(bytes), 'd')), record(...IDS, PAYLOAD)],
  ]),
  ['ids that are none', [record(...named('t', 's.', 'd')), record(...named('t', 's', 'd d'))]],
  ['a record that ends in its ids', [text(1, Buffer.concat(IDS).subarray(0, 9))]],
  [
    'an id that ends behind its record, in the next one',
    [
      record(TENANT, SITE, DEVICE, Buffer.from([0x22, 20, 0x63])),
      record(...IDS, RECEIVED, PAYLOAD),
    ],
  ],
  [
    'a long id behind others',
    [record(text(12, 'x'), TENANT, SITE, text(3, id(65)), CHANNEL, PAYLOAD)],
  ],
  ['a record that says more than there is', [Buffer.from([10, 60, ...TENANT, ...SITE])]],
  ['nothing behind a tag', [record(...IDS, PAYLOAD), Buffer.from([10])]],
  ...[127, 128, 129, 256, 257].map((count): [string, Field[]] => [`${count} records`, many(count)]),
  ['bad bytes behind 200 records', [...many(200), Buffer.from([10, 5, 1])]],
];

describe('a record batch', function () {
  this.timeout(60_000);
  const kernels = everyBuild();

  const plan = planOf([
    channelOf(0, 'c', { metrics: [metricOf(0, 'm', { max: 900 })], windows: [MINUTE_WINDOW] }),
  ]);
  for (const [title, fields] of BATCHES) {
    it(`equals the reference: ${title}`, async () => {
      const log = new LogWriter();
      log.plan(plan);
      const body = Buffer.concat(fields);
      // Twice: what is remembered of the first, the second one shows.
      log.append('batch', body);
      log.append('batch', body);
      log.at(START_MS + 1000).tick();
      const wanted = lines(runReference({ messages: log.messages, skips: [] } as never));
      for (const kernel of kernels.values()) {
        const options = { log: LOG, partition: PARTITION, generation: GENERATION };
        const partition = kernel.open({ ...options, memoryBytes: 32 << 20 });
        const outcome = await drive(partition, all(log.messages));
        expect(difference(lines(outcome), wanted)).to.equal('');
        partition.close();
      }
    });
  }
});
