/** The bare protocol taken apart: any cut of the bytes gives the same messages and lines. */
import { expect } from 'chai';
import type { WireMessage } from '../../../src/log/pull/wire-message.ts';
import { WireScanner } from '../../../src/log/pull/wire-scanner.ts';
import { ChunkWriter, chunkMessages } from '../../../src/wire/chunk.ts';

interface Sight {
  readonly subject: string;
  readonly reply: string;
  readonly headers: string;
  readonly payload: string;
  readonly position: readonly [number, bigint] | null;
}

function sightOf(message: WireMessage): Sight {
  const { source, replyAt, replyBytes, headersAt, headersBytes, payloadBytes } = message;
  const text = (at: number, bytes: number) => source.toString('latin1', at, at + bytes);
  const isStored = message.readPosition();
  const logTimeNs = (BigInt(message.logTimeHigh) << 32n) | BigInt(message.logTimeLow);
  return {
    subject: message.subject,
    reply: text(replyAt, replyBytes),
    headers: message.headers,
    payload: text(headersAt + headersBytes, payloadBytes),
    position: isStored ? [message.sequence, logTimeNs] : null,
  };
}

/** Reads pieces as a socket brings them: the rest of one stands before the next. */
function scanAll(pieces: readonly Buffer[]): (Sight | string)[] {
  const seen: (Sight | string)[] = [];
  const scanner = new WireScanner({
    message: (message) => seen.push(sightOf(message)),
    line: (text) => seen.push(text),
  });
  let rest = Buffer.alloc(0);
  for (const piece of pieces) {
    // What is behind the end is not to be looked at.
    const bytes = Buffer.concat([rest, piece, Buffer.from('\r\nPING\r\n')]);
    const end = rest.length + piece.length;
    rest = Buffer.from(bytes.subarray(scanner.scan(bytes, end), end));
  }
  expect(rest.length).to.equal(0);
  return seen;
}

const TIME_NS = 1_790_000_000_123_456_789n;
const HEADERS = 'NATS/1.0\r\nMillrace-Event-Id: e-1\r\n\r\n';
const ack = (sequence: number, timeNs: bigint) =>
  `$JS.ACK.LOG_main_0.reader-1.1.${sequence}.7.${timeNs}.12`;

const STREAM = Buffer.from(
  [
    'INFO {"server_id":"x"} \r\n',
    `MSG log.main.0.batch 1 ${ack(41, TIME_NS)} 8\r\na\r\nb\nMSG\r\n`,
    'PING\r\n',
    `HMSG log.main.0.iot.a.b.c.t.d 1 ${ack(42, TIME_NS + 1n)} ${HEADERS.length} ${HEADERS.length + 2}\r\n${HEADERS}xy\r\n`,
    'HMSG _INBOX.a.1 1 43 43\r\nNATS/1.0 409 Message Size Exceeds MaxBytes\r\n\r\n\r\n'.replace(
      '43 43',
      '46 46',
    ),
    `MSG log.main.0.tick 1 ${ack(43, 0n)} 0\r\n\r\n`,
    "-ERR 'Stale Connection'\r\n",
  ].join(''),
);

describe('the scanner of the bare protocol', () => {
  const whole = scanAll([STREAM]);

  it('gives messages with their positions, statuses and lines, in order', () => {
    const message = (subject: string, more: Partial<Sight>) => ({
      ...{ subject, reply: '', headers: '', payload: '', position: null },
      ...more,
    });
    expect(whole).to.deep.equal([
      'INFO {"server_id":"x"}',
      message('log.main.0.batch', {
        ...{ reply: ack(41, TIME_NS), payload: 'a\r\nb\nMSG', position: [41, TIME_NS] },
      }),
      'PING',
      message('log.main.0.iot.a.b.c.t.d', {
        ...{ reply: ack(42, TIME_NS + 1n), headers: HEADERS, payload: 'xy' },
        position: [42, TIME_NS + 1n],
      }),
      message('_INBOX.a.1', { headers: 'NATS/1.0 409 Message Size Exceeds MaxBytes\r\n\r\n' }),
      message('log.main.0.tick', { reply: ack(43, 0n), position: [43, 0n] }),
      "-ERR 'Stale Connection'",
    ]);
  });

  it('gives the same whatever the bytes are cut into', () => {
    for (let at = 0; at <= STREAM.length; at += 1) {
      expect(scanAll([STREAM.subarray(0, at), STREAM.subarray(at)])).to.deep.equal(whole);
    }
    const single = Array.from(STREAM, (_, at) => STREAM.subarray(at, at + 1));
    expect(scanAll(single)).to.deep.equal(whole);
  });

  const positions: readonly (readonly [string, number, bigint])[] = [
    ['$JS.ACK.s.c.1.1.1.0.0', 1, 0n],
    ['$JS.ACK.s.c.1.9007199254740991.1.1790000000999999999.0', 2 ** 53 - 1, 1790000000999999999n],
    ['$JS.ACK.s.c.1.4294967296.1.18446744073709551615.0', 2 ** 32, 2n ** 64n - 1n],
    ['$JS.ACK.hub.account.s.c.1.77.1.4294967296.0', 77, 2n ** 32n],
    ['$JS.ACK.hub.account.s.c.1.78.1.999999999.0.token', 78, 999999999n],
  ];
  for (const [reply, sequence, timeNs] of positions) {
    it(`reads ${reply}`, () => {
      const [seen] = scanAll([Buffer.from(`MSG a 1 ${reply} 0\r\n\r\n`)]);
      expect((seen as Sight).position).to.deep.equal([sequence, timeNs]);
    });
  }

  it('takes a line of too many words for what it is: not the protocol', () => {
    expect(() => scanAll([Buffer.from('MSG a 1 b 3 4 5 6\r\n')])).to.throw(RangeError);
  });

  it('fills chunks as messages of the client do', () => {
    const [raw, made] = [new ChunkWriter(), new ChunkWriter()];
    const bodies = [0, 1, 7, 95, 96, 97, 5_000].map((length) => 'x'.repeat(length));
    const empty = 'NATS/1.0\r\n\r\n';
    const scanner = new WireScanner({
      message: (message) => {
        message.readPosition();
        expect(raw.appendRaw(message)).to.equal(true);
      },
      line: () => {},
    });
    bodies.forEach((body, index) => {
      const headers = ['', empty, HEADERS][index % 3]!;
      const sequence = 2 ** 32 - 2 + index;
      const [verb, sizes] = headers === '' ? ['MSG', ''] : ['HMSG', `${headers.length} `];
      const line = `${verb} s.${index} 1 ${ack(sequence, TIME_NS)} ${sizes}`;
      const text = `${line}${headers.length + body.length}\r\n${headers}${body}\r\n`;
      scanner.scan(Buffer.from(text), text.length);
      made.append({
        sequence: BigInt(sequence),
        logTimeNs: TIME_NS,
        subject: `s.${index}`,
        headers: Buffer.from(headers === HEADERS ? headers : ''),
        payload: Buffer.from(body),
      });
    });
    const [left, right] = [raw.take(), made.take()];
    expect([...chunkMessages(left)]).to.deep.equal([...chunkMessages(right)]);
    expect(left).to.deep.equal(right);
  });
});
