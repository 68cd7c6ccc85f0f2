/**
 * One more connection to the server, for one reader: the protocol in its own bytes, read where they
 * land. In: the way there, a scanner. Out: what the scanner makes of it, until the socket ends.
 *
 *   socket ─► [ unfinished rest | what comes next … ] ─scan─► rest to the front, and again
 *
 * The socket is never paused: what may come is asked for (pull requests), so the buffer suffices.
 */
import { connect, type Socket } from 'node:net';
import type { Route } from '../connection.ts';
import type { WireScanner } from './wire-scanner.ts';

/** Room for the largest message (64 KiB of body, headers, subject) and for much at a time. */
const BUFFER_BYTES = 1_048_576;

export interface WireSocketOptions {
  readonly route: Route;
  readonly name: string;
  readonly scanner: WireScanner;
  /** Something came, whatever it is; before it is scanned. */
  readonly onHeard: () => void;
  /** Once: the socket has ended, or what came could not be read. */
  readonly onEnd: (bug: unknown) => void;
}

export class WireSocket {
  readonly #options: WireSocketOptions;
  readonly #socket: Socket;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  #hasEnded = false;

  constructor(options: WireSocketOptions) {
    this.#options = options;
    const { host, port, user, password } = options.route;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => this.#buffer.subarray(this.#used),
        callback: (bytes) => this.#receive(bytes),
      },
    });
    this.#socket.on('error', () => this.#end(null));
    this.#socket.on('close', () => this.#end(null));
    const hello = {
      ...{ verbose: false, pedantic: false, headers: true, no_responders: true, protocol: 1 },
      ...{ lang: 'millrace', version: '1', name: options.name },
      ...(user === undefined ? {} : { user }),
      ...(password === undefined ? {} : { pass: password }),
    };
    this.#socket.write(`CONNECT ${JSON.stringify(hello)}\r\n`);
  }

  /** Lines of the protocol. */
  send(text: string): void {
    if (!this.#hasEnded) this.#socket.write(text);
  }

  /** Without a word to `onEnd`. */
  close(): void {
    this.#hasEnded = true;
    this.#socket.destroy();
  }

  #receive(bytes: number): boolean {
    if (this.#hasEnded) return true;
    this.#options.onHeard();
    const end = this.#used + bytes;
    try {
      const done = this.#options.scanner.scan(this.#buffer, end);
      if (done > 0) this.#buffer.copyWithin(0, done, end);
      this.#used = end - done;
      if (this.#used === BUFFER_BYTES) this.#end(null); // a message that is larger than any may be
    } catch (bug) {
      this.#end(bug);
    }
    return true;
  }

  #end(bug: unknown): void {
    if (this.#hasEnded) return;
    this.close();
    this.#options.onEnd(bug);
  }
}
