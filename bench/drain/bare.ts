/**
 * The bare drain: reads the whole backlog from nats-server and only counts. In: address and last
 * sequences. Out: nothing, once every stream is read. A raw socket per stream, pull requests that
 * overlap, lengths read from the protocol's lines and payloads skipped: what no reader of messages
 * can beat, so shares of it say what the work costs.
 */
import { connect, type Socket } from 'node:net';
import type { NatsEndpoint } from '../../src/main.ts';
import { streamName } from '../../src/wire/subject.ts';
import type { Backlog } from './backlog.ts';
import { LOG_ID } from './case.ts';

const BUFFER_BYTES = 1_048_576;
const PULL_MESSAGES = 8_192;
const PULL_BYTES = 4_194_304;
const LF = 0x0a;
const SPACE = 0x20;
const ZERO = 0x30;
const [M, H, P] = [0x4d, 0x48, 0x50];

export async function drainBare(nats: NatsEndpoint, { last }: Backlog): Promise<void> {
  await Promise.all(last.map((sequence, partition) => drainStream(nats, partition, sequence)));
}

function drainStream(nats: NatsEndpoint, partition: number, last: bigint): Promise<void> {
  const { hostname, port } = new URL(nats.url);
  const stream = streamName(LOG_ID, partition);
  const consumer = `bare-${partition}-${process.pid}`;
  const scanner = new Scanner(Number(last));
  return new Promise((resolve, reject) => {
    const socket: Socket = connect({
      host: hostname,
      port: Number(port),
      onread: {
        buffer: Buffer.allocUnsafe(BUFFER_BYTES),
        callback: (bytes, buffer) => {
          scanner.scan(buffer as Buffer, bytes);
          if (scanner.pings > 0) socket.write('PONG\r\n'.repeat(scanner.pings));
          scanner.pings = 0;
          if (scanner.failure !== '') reject(new Error(scanner.failure));
          for (; scanner.ended > 0; scanner.ended -= 1) pull();
          if (scanner.isDone) {
            socket.destroy();
            resolve();
          }
          return true;
        },
      },
    });
    const publish = (subject: string, reply: string, body: object) => {
      const text = JSON.stringify(body);
      socket.write(`PUB ${subject} ${reply} ${text.length}\r\n${text}\r\n`);
    };
    const pull = () =>
      publish(`$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`, `_INBOX.bare.${partition}`, {
        ...{ batch: PULL_MESSAGES, max_bytes: PULL_BYTES, expires: 30_000_000_000 },
      });
    socket.on('error', reject);
    const { user, password: pass } = nats;
    const hello = {
      verbose: false,
      pedantic: false,
      headers: true,
      no_responders: true,
      user,
      pass,
    };
    socket.write(`CONNECT ${JSON.stringify(hello)}\r\nSUB _INBOX.bare.${partition} 1\r\n`);
    publish(`$JS.API.CONSUMER.CREATE.${stream}.${consumer}`, `_INBOX.none.${partition}`, {
      stream_name: stream,
      config: {
        ...{ name: consumer, deliver_policy: 'all', ack_policy: 'none', replay_policy: 'instant' },
        ...{ mem_storage: true, num_replicas: 1, inactive_threshold: 30_000_000_000 },
      },
    });
    pull();
    pull();
  });
}

/** Counts messages; keeps nothing but an unfinished line and how much of a payload is to come. */
class Scanner {
  messages = 0;
  pings = 0;
  /** Pull requests that are used up. */
  ended = 0;
  failure = '';
  readonly #last: number;
  #skip = 0;
  #line = '';
  #pulled = 0;

  constructor(last: number) {
    this.#last = last;
  }

  get isDone(): boolean {
    return this.messages >= this.#last;
  }

  scan(buffer: Buffer, bytes: number): void {
    let at = 0;
    while (at < bytes) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes - at);
        this.#skip -= step;
        at += step;
        continue;
      }
      const end = buffer.indexOf(LF, at);
      if (end < 0 || end >= bytes) {
        this.#line += buffer.toString('latin1', at, bytes);
        return;
      }
      if (this.#line === '' && buffer[at] === M) this.#message(lengthBefore(buffer, end));
      else this.#other(this.#line + buffer.toString('latin1', at, end + 1));
      this.#line = '';
      at = end + 1;
    }
  }

  #message(payloadBytes: number): void {
    this.messages += 1;
    this.#pulled += 1;
    this.#skip = payloadBytes + 2;
    if (this.#pulled === PULL_MESSAGES) this.#next();
  }

  #next(): void {
    this.#pulled = 0;
    this.ended += 1;
  }

  #other(line: string): void {
    const first = line.charCodeAt(0);
    if (first === M) this.#message(Number(line.slice(line.lastIndexOf(' ') + 1)));
    else if (first === P) this.pings += line.startsWith('PING') ? 1 : 0;
    else if (first === H) {
      // A status: a pull that ended by its bytes. Records of the bench carry no headers.
      this.#skip = Number(line.slice(line.lastIndexOf(' ') + 1)) + 2;
      this.#next();
    } else if (line.startsWith('-ERR')) this.failure = line;
  }
}

/** The number that a line ends with. */
function lengthBefore(buffer: Buffer, lineFeedAt: number): number {
  let at = lineFeedAt - 2;
  let value = 0;
  for (let scale = 1; buffer[at] !== SPACE; scale *= 10, at -= 1) {
    value += (buffer[at]! - ZERO) * scale;
  }
  return value;
}
