/**
 * The prefix of Confluent's serializers, in every build: a byte 0, an id that the channel lists,
 * and for Protobuf where the message stands in its file. What lies behind is read as without it;
 * offsets count from the first byte of the payload.
 */
import { expect } from 'chai';
import { OK, PAYLOAD_MALFORMED, SCHEMA_UNKNOWN } from '../../../assembly/shared/status.ts';
import { statusName } from '../../../src/model/status.ts';
import { compileProtobufSchema } from '../../../src/registry/schema/protobuf-schema.ts';
import { Oracle, SHARES } from '../decode-oracle.ts';
import { channelOf, metricOf } from '../plan-sample.ts';
import { encodeTelemetry } from '../telemetry.ts';

const FRAMED = { framing: 'confluent', schemaIds: [7, 70_000] } as const;
const ID_7 = [0, 0, 0, 0, 7];
const JSON_CHANNEL = channelOf(1, 'c', {
  ...FRAMED,
  format: 'json',
  timePath: [],
  eventIdPath: [],
});
const TELEMETRY = channelOf(1, 'c', { ...FRAMED, format: 'protobuf' });

/** Outer is the second message of the file, Pack the third inside it, Deep the first in that. */
const PROTO = `syntax = "proto3"; package t; message First { double value = 1; } message Outer {
  message A { double value = 1; } message B { double value = 1; }
  message Pack { message Deep { double value = 1; } double value = 1; } double value = 1; }`;

function messageChannel(message: string) {
  const channel = channelOf(1, 'c', {
    ...{ ...FRAMED, format: 'protobuf-message', timePath: [], eventIdPath: [] },
    metrics: [metricOf(0, 'value')],
  });
  const verdict = compileProtobufSchema({ text: PROTO, message, file: 'x.proto' }, channel);
  if ('problems' in verdict) throw new Error(JSON.stringify(verdict.problems));
  return { ...channel, schema: verdict.schema };
}

const VALUE = Buffer.concat([Buffer.of(9), Buffer.from(new Float64Array([21.5]).buffer)]);

for (const { target } of SHARES) {
  describe(`Confluent's prefix, ${target} build`, function () {
    this.timeout(300_000);
    let oracle: Oracle;
    before(async () => {
      oracle = await Oracle.open(JSON_CHANNEL, target);
    });

    /** The status, and the value of the first reading where there is one. */
    function read(prefix: readonly number[], body: Uint8Array | string): string {
      const payload = Buffer.concat([Buffer.from(prefix), Buffer.from(body)]);
      for (let end = 0; end <= payload.length; end += 1) oracle.check(payload.subarray(0, end));
      const decoded = oracle.probe.decode(payload);
      const place = decoded.status === OK ? '' : ` at ${decoded.offset}`;
      return statusName(decoded.status) + place;
    }

    const [unknown, malformed] = [SCHEMA_UNKNOWN, PAYLOAD_MALFORMED].map(statusName);

    describe('with JSON', () => {
      before(() => oracle.use(JSON_CHANNEL));
      for (const [prefix, body, wanted] of [
        [ID_7, '{"value":1}', 'OK'],
        [[0, 0, 1, 0x11, 0x70], '{"value":1}', 'OK'],
        // An id is big endian; a magic byte is 0.
        [[0, 7, 0, 0, 0], '{"value":1}', `${unknown} at 0`],
        [[0, 0, 0, 0, 8], '{"value":1}', `${unknown} at 0`],
        [[1, 0, 0, 0, 7], '{"value":1}', `${unknown} at 0`],
        [[], '{"value":1}', `${unknown} at 0`],
        // JSON has no message indexes.
        [[...ID_7, 0], '{"value":1}', `${malformed} at 5`],
        [ID_7, '{"value":1', `${malformed} at 15`],
        [ID_7, '', `${malformed} at 5`],
        [ID_7, '{"value":1,"x":{"y":01}}', `${malformed} at 26`],
        [ID_7, '{}', 'NO_READINGS at 0'],
      ] as const) {
        it(`${prefix.join(' ')} and ${body || 'nothing'}: ${wanted}`, () =>
          expect(read(prefix, body)).to.equal(wanted));
      }

      it('offsets of times and readings count from the prefix, of the sample from 0', () => {
        oracle.use({ ...JSON_CHANNEL, timePath: ['time'] });
        const payload = Buffer.concat([Buffer.from(ID_7), Buffer.from('{"time":"x","value":"y"}')]);
        oracle.check(payload);
        const [sample] = oracle.probe.decode(payload).samples;
        expect([sample!.offset, sample!.timeOffset, sample!.readings[0]!.offset]).to.deep.equal([
          ...[0, 13, 25],
        ]);
        oracle.use(JSON_CHANNEL);
      });

      it('arrays of samples lie where they are', () => {
        oracle.use({ ...JSON_CHANNEL, samplesPath: ['all'] });
        const text = '{"all":[{"value":1},{"value":true}]}';
        const payload = Buffer.concat([Buffer.from(ID_7), Buffer.from(text)]);
        oracle.check(payload);
        const { samples } = oracle.probe.decode(payload);
        expect(samples.map(({ offset }) => offset)).to.deep.equal([13, 25]);
        oracle.use(JSON_CHANNEL);
      });
    });

    const TEN_BYTES = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0];
    /** Indexes as they stand on the wire, zig-zag: 2 is one, 4 is two, 1 is minus one. */
    function indexes(rows: readonly (readonly [readonly number[], boolean])[], body: Uint8Array) {
      for (const [bytes, isKnown] of rows) {
        it(`${bytes.join(' ') || 'none'}: ${isKnown ? 'read' : 'refused'}`, () => {
          const wanted = isKnown ? 'OK' : `${unknown} at 0`;
          expect(read([...ID_7, ...bytes], body)).to.equal(wanted);
        });
      }
    }

    describe('with canonical Protobuf, the first message', () => {
      before(() => oracle.use(TELEMETRY));
      const samples = [{ readings: [{ metric: 1, number: 21.5 }] }];
      indexes(
        [
          ...([
            [[0], true],
            [[2, 0], true],
            [[0x80, 0], true],
            [[0x82, 0, 0x80, 0], true],
          ] as const),
          ...([
            [[2, 2], false],
            [[4, 0, 0], false],
            [[1], false],
            [[2, 1], false],
          ] as const),
          ...([
            [[0x80, 0x80, 0x80, 0x80, 0], true],
            [TEN_BYTES, false],
          ] as const),
          ...([[[0xff, 0xff, 0xff, 0xff, 0x0f], false]] as const),
        ],
        encodeTelemetry({ samples }),
      );
    });

    for (const [message, path] of [
      ['First', [0]],
      ['Outer', [1]],
      ['t.Outer.Pack', [1, 2]],
      ['t.Outer.Pack.Deep', [1, 2, 0]],
    ] as const) {
      describe(`with ${message}, which stands at ${path.join('/')}`, () => {
        before(() => oracle.use(messageChannel(message)));
        const own = [path.length, ...path].map((each) => each * 2);
        const others = [
          ...[[0], [2, 0], [2, 2], [4, 2, 4], [6, 2, 4, 0]].filter(
            (each) => each.join() !== own.join() && !(each[0] === 0 && path.join() === '0'),
          ),
          ...[
            own.slice(0, -1),
            [...own.slice(0, -1), own.at(-1)! + 2],
            [own[0]! + 2, ...own.slice(1)],
          ],
          ...[
            [...own.slice(0, -1), own.at(-1)! + 1],
            [...own.slice(0, -1), ...TEN_BYTES],
          ],
        ];
        indexes(
          [
            [own, true],
            // As wide as an index may be.
            [own.flatMap((each) => [each | 0x80, 0x80, 0x80, 0x80, 0]), true],
            ...others.map((each) => [each, false] as const),
          ],
          VALUE,
        );
      });
    }
  });
}
