/**
 * A TCP proxy between two processes of a cluster, which can be disturbed while it runs. In: a port
 * to listen on, a port to lead to. It never stops listening, so its port stays its own.
 *
 *   open       bytes pass
 *   cut        what is connected is reset; who connects is reset
 *   delay      every byte arrives later, in order
 *   half-open  what the server says is swallowed, the connection stands; then it is reset, as
 *              bytes of a stream cannot be left out
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { LOOPBACK } from '../../cluster/local/port.ts';
import { systemClock } from '../../src/base/clock.ts';

export type Disturbance =
  | { readonly kind: 'cut' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'half-open' };

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  /** Bytes of the far side were swallowed. */
  isBroken: boolean;
}

export class TcpProxy {
  readonly port: number;
  readonly #target: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #disturbance: Disturbance | null = null;

  constructor(port: number, target: number) {
    this.port = port;
    this.#target = target;
    this.#server = createServer({ noDelay: true }, (near) => this.#join(near));
  }

  get address(): string {
    return `${LOOPBACK}:${this.port}`;
  }

  async open(): Promise<void> {
    this.#server.listen({ host: LOOPBACK, port: this.port, exclusive: true });
    await once(this.#server, 'listening');
  }

  disturb(disturbance: Disturbance): void {
    this.#disturbance = disturbance;
    if (disturbance.kind === 'cut') this.#reset(() => true);
  }

  heal(): void {
    this.#disturbance = null;
    this.#reset(({ isBroken }) => isBroken);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#reset(() => true);
    await closed;
  }

  #join(near: Socket): void {
    near.on('error', () => {});
    if (this.#disturbance?.kind === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect({ host: LOOPBACK, port: this.#target, noDelay: true });
    const pair: Pair = { near, far, isBroken: false };
    this.#pairs.add(pair);
    far.on('error', () => {});
    const end = () => {
      this.#pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    near.on('close', end);
    far.on('close', end);
    this.#lead(pair, near, far);
    this.#lead(pair, far, near);
  }

  /** One way of a connection. */
  #lead(pair: Pair, from: Socket, to: Socket): void {
    let newest = Promise.resolve();
    let waiting = 0;
    let isFull = false;
    const write = (bytes: Buffer) => {
      if (to.destroyed || to.write(bytes) || isFull) return;
      isFull = true;
      from.pause();
      to.once('drain', () => {
        isFull = false;
        from.resume();
      });
    };
    from.on('data', (bytes: Buffer) => {
      const disturbance = this.#disturbance;
      if (pair.isBroken || (disturbance?.kind === 'half-open' && from === pair.far)) {
        pair.isBroken = true;
        return;
      }
      const delayMs = disturbance?.kind === 'delay' ? disturbance.ms : 0;
      if (delayMs === 0 && waiting === 0) return write(bytes);
      waiting += 1;
      const over = systemClock.wait(delayMs);
      newest = Promise.all([newest, over]).then(() => {
        waiting -= 1;
        write(bytes);
      });
    });
  }

  #reset(condition: (pair: Pair) => boolean): void {
    for (const pair of [...this.#pairs].filter(condition)) {
      pair.near.resetAndDestroy();
      pair.far.resetAndDestroy();
    }
  }
}
