/** Limits of the decoders, and the rules that every build of them keeps. */
import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import * as abi from '../../assembly/shared/abi.ts';
import { LIMIT_EXCEEDED } from '../../assembly/shared/status.ts';
import { METRICS, Oracle } from './decode-oracle.ts';
import { channelOf, metricOf } from './plan-sample.ts';
import type { Target } from './probe.ts';

const PROTOBUF = channelOf(1, 'c', {
  metrics: Array.from({ length: 64 }, (_, i) => metricOf(i, `m${i}`, { kind: 'boolean' })),
});
const JSON_CHANNEL = channelOf(1, 'c', {
  format: 'json',
  metrics: METRICS,
  unknownMetrics: 'ignore',
});

const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];

/** A sample of readings that have nothing but a metric; of unknown ones nothing at all. */
function sample(...readings: number[][]): number[] {
  const body = readings.flatMap((reading) => [0x12, reading.length, ...reading]);
  return [0x0a, ...varint(body.length), ...body];
}

const EVERY_METRIC = Array.from({ length: 64 }, (_, i) => [8, i + 1]);

/** The first sample has a reading of every metric, the others none. */
function samples(count: number): Uint8Array {
  return Uint8Array.from([
    ...sample(...EVERY_METRIC),
    ...Array.from({ length: count - 1 }, () => sample()).flat(),
  ]);
}

for (const target of ['release', 'scalar', 'debug'] as const satisfies readonly Target[]) {
  describe(`decoders, ${target} build`, () => {
    let protobuf: Oracle;
    let json: Oracle;
    before(async () => {
      protobuf = await Oracle.open(PROTOBUF, target);
      json = await Oracle.open(JSON_CHANNEL, target);
    });

    it('take 4,096 samples and refuse one more', () => {
      for (const count of [4095, 4096, 4097, 20_000]) {
        const payload = samples(count);
        protobuf.check(payload);
        const decoded = protobuf.probe.decode(payload);
        expect(decoded.status).to.equal(count > abi.SAMPLES_PER_RECORD_MAX ? LIMIT_EXCEEDED : 0);
        expect(decoded.samples.length).to.equal(count > abi.SAMPLES_PER_RECORD_MAX ? 0 : count);
      }
    });

    it('take as many readings of declared metrics as a payload can hold', () => {
      const payload = Uint8Array.from(
        Array.from({ length: 236 }, () => sample(...EVERY_METRIC)).flat(),
      );
      expect(payload.length).to.be.within(61_000, abi.PAYLOAD_BYTES_MAX);
      protobuf.check(payload);
      expect(protobuf.probe.decode(payload).samples.length).to.equal(236);
    });

    it('take 16,384 readings and refuse one more', () => {
      for (const count of [16_383, 16_384, 16_385, 30_000]) {
        const unknown = Array.from({ length: count - 1 }, () => []);
        const payload = Uint8Array.from([...sample([8, 1]), ...sample(...unknown)]);
        const status = count > abi.READINGS_PER_RECORD_MAX ? LIMIT_EXCEEDED : 0;
        expect(protobuf.probe.decode(payload)).to.include({ status, offset: 0 });
      }
    });

    it('read 61,440 bytes and refuse one more unread', () => {
      const text = (bytes: number) =>
        `{"t":1,"x":"${'é'.repeat(1000)}${'y'.repeat(bytes - 2014)}"}`;
      for (const bytes of [abi.PAYLOAD_BYTES_MAX - 1, abi.PAYLOAD_BYTES_MAX]) {
        expect(Buffer.byteLength(text(bytes))).to.equal(bytes);
        expect(json.probe.decode(text(bytes)).status).to.equal(0);
      }
      for (const bytes of [abi.PAYLOAD_BYTES_MAX + 1, 200_000]) {
        expect(json.probe.decode(text(bytes))).to.include({ status: LIMIT_EXCEEDED, offset: 0 });
      }
      expect(json.probe.decode('{'.repeat(61_441)).status).to.equal(LIMIT_EXCEEDED);
    });

    it('read a time of 60,000 escaped digits', () => {
      const channel = { ...JSON_CHANNEL, timePath: ['ts'] };
      expect(channel.timeFormat).to.equal('ms');
      json.check(`{"t":1,"time":"${'\\u0030'.repeat(10_000)}123"}`);
      json.check(`{"t":1,"time":"${'1'.repeat(60_000)}"}`);
      json.check(`{"t":${'1'.repeat(30_000)}.${'1'.repeat(30_000)}}`);
      json.check(`{"t":-0.${'0'.repeat(30_000)}${'1'.repeat(30_000)}e30000}`);
    });
  });
}

describe('decoders', () => {
  it('keep the rules of the kernel: no mutable global, start, table or import but memory', () => {
    const wat = execFileSync('node_modules/.bin/wasm-dis', [
      'build/kernel/decode-probe-release.wasm',
    ]).toString();
    expect(wat).to.not.match(/\(global [^\n]*\(mut /);
    expect(wat).to.not.match(/\(start /);
    expect(wat).to.not.match(/\(table /);
    expect(wat.match(/\(import /g)).to.have.length(1);
    expect(wat).to.match(/\(import "env" "memory"/);
  });
});
