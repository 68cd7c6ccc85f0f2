/**
 * Tailing over a connection of its own, in the bare protocol: messages go from the socket's bytes
 * into the chunk, nothing is made of them in between. In and out as in tail.ts, which serves
 * encrypted links; the contract is the same.
 *
 *   socket ─► scanner ─► position ─► intake      pulls in force ≤ PULLS_MAX, the oldest serves
 *                │ status ─► its pull is used up, or the end
 *                │ PING ─► PONG
 */
import { createInbox } from '@nats-io/transport-node';
import type { Route } from '../connection.ts';
import type { Source } from './catch-up.ts';
import {
  HEARTBEAT_MS,
  PULL_BYTES_MAX,
  PULL_BYTES_MIN,
  PULL_MESSAGES_MAX,
  pullText,
  SILENT_MS,
  statusKind,
  TailConsumer,
} from './consumer.ts';
import type { Intake } from './intake.ts';
import type { TailEnd } from './tail.ts';
import type { WireMessage } from './wire-message.ts';
import { WireScanner, type WireSink } from './wire-scanner.ts';
import { WireSocket } from './wire-socket.ts';

/** One serves while the next is on its way to the server. */
const PULLS_MAX = 2;

interface Pull {
  readonly inbox: string;
  messages: number;
  bytes: number;
}

export async function leanTail(
  source: Source,
  route: Route,
  intake: Intake,
  signal: AbortSignal,
): Promise<TailEnd> {
  const { link } = source;
  const delivery = new LeanTail(source, route, intake);
  const giveUp = () => delivery.end('disturbed');
  const unwatch = link.onChange(giveUp);
  signal.addEventListener('abort', giveUp);
  const timer = setInterval(() => delivery.checkSilence(), HEARTBEAT_MS);
  try {
    if (signal.aborted || !link.isConnected) return 'disturbed';
    await delivery.begin();
    intake.onRoom = () => delivery.pull();
    delivery.pull();
    return await delivery.ended;
  } finally {
    intake.onRoom = () => {};
    clearInterval(timer);
    signal.removeEventListener('abort', giveUp);
    unwatch();
    await delivery.close();
  }
}

class LeanTail implements WireSink {
  readonly ended: Promise<TailEnd>;
  readonly #source: Source;
  readonly #intake: Intake;
  readonly #consumer: TailConsumer;
  readonly #inbox = createInbox();
  readonly #socket: WireSocket;
  readonly #pulls: Pull[] = [];
  #pullNumber = 0;
  #resolve: (end: TailEnd) => void = () => {};
  #reject: (bug: unknown) => void = () => {};
  #isOver = false;
  #heardAtMs: number;
  #checkedAtMs: number;

  constructor(source: Source, route: Route, intake: Intake) {
    this.#source = source;
    this.#intake = intake;
    this.#consumer = new TailConsumer(source.link, source.stream);
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may fail before anybody waits for it.
    this.ended.catch(() => {});
    this.#heardAtMs = source.clock.monotonicMs();
    this.#checkedAtMs = this.#heardAtMs;
    this.#socket = new WireSocket({
      route,
      name: `millrace reader of ${source.stream}`,
      scanner: new WireScanner(this),
      onHeard: () => {
        this.#heardAtMs = source.clock.monotonicMs();
      },
      onEnd: (bug) => (bug === null ? this.end('disturbed') : this.#fail(bug)),
    });
    this.#socket.send(`SUB ${this.#inbox}.* 1\r\n`);
  }

  end(end: TailEnd): void {
    this.#isOver = true;
    this.#resolve(end);
  }

  #fail(bug: unknown): void {
    this.#isOver = true;
    this.#reject(bug);
  }

  async begin(): Promise<void> {
    await this.#consumer.create(this.#intake.next);
  }

  async close(): Promise<void> {
    this.#isOver = true;
    this.#socket.close();
    await this.#consumer.remove();
  }

  /** Asks for more as far as there is room that no pull in force may fill. */
  pull(): void {
    while (!this.#isOver && this.#pulls.length < PULLS_MAX) {
      let room = this.#intake.roomBytes;
      for (const { bytes } of this.#pulls) room -= bytes;
      if (room < PULL_BYTES_MIN) return;
      this.#pullNumber += 1;
      const pull = {
        inbox: `${this.#inbox}.${this.#pullNumber}`,
        messages: PULL_MESSAGES_MAX,
        bytes: Math.min(PULL_BYTES_MAX, room),
      };
      if (this.#pulls.length === 0) this.#heardAtMs = this.#source.clock.monotonicMs();
      this.#pulls.push(pull);
      const text = pullText(pull.messages, pull.bytes);
      const { pullSubject } = this.#consumer;
      this.#socket.send(`PUB ${pullSubject} ${pull.inbox} ${text.length}\r\n${text}\r\n`);
    }
  }

  message(message: WireMessage): void {
    if (this.#isOver) return;
    if (!message.readPosition()) {
      this.#status(message);
      return;
    }
    if (this.#intake.offerRaw(message) === 'gap') this.end('gap');
    const [pull] = this.#pulls;
    if (!pull) return;
    pull.messages -= 1;
    // As the server counts; a pull that ends exactly at its bytes ends without a status.
    pull.bytes -= message.bytes;
    if (pull.messages <= 0 || pull.bytes <= 0) this.#usedUp(pull);
  }

  line(text: string): void {
    if (text === 'PING') this.#socket.send('PONG\r\n');
    else if (text.startsWith('-ERR')) this.end('disturbed');
  }

  #status(message: WireMessage): void {
    const head = /^NATS\/1\.0 (\d{3}) ?([^\r]*)/.exec(message.headers);
    const kind = statusKind(Number(head?.[1] ?? 0), head?.[2] ?? '');
    if (kind === 'disturbed') this.end('disturbed');
    if (kind !== 'used up') return;
    const pull = this.#pulls.find(({ inbox }) => inbox === message.subject);
    if (pull) this.#usedUp(pull);
  }

  #usedUp(pull: Pull): void {
    this.#pulls.splice(this.#pulls.indexOf(pull), 1);
    this.pull();
  }

  checkSilence(): void {
    const nowMs = this.#source.clock.monotonicMs();
    // This process stood still itself: what came meanwhile is not read yet.
    if (nowMs - this.#checkedAtMs > 2 * HEARTBEAT_MS) this.#heardAtMs = nowMs;
    this.#checkedAtMs = nowMs;
    if (this.#pulls.length > 0 && nowMs - this.#heardAtMs > SILENT_MS) this.end('disturbed');
  }
}
