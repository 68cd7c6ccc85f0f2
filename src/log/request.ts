/**
 * Requests over one inbox of a connection. In: subject, payload, a time limit. Out: the first
 * answer. The client's own `request` makes an error object with a stack for each answer, 16 µs of
 * it; this is what appends and facts are made of. Invariant: a request ends exactly once, by an
 * answer, its time limit or `failAll`; nothing is kept of it afterwards.
 */
import { createInbox, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';

const NO_RESPONDERS = 503;

interface Pending {
  readonly resolve: (answer: Msg) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export interface Request {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly headers?: MsgHdrs | undefined;
  readonly timeoutMs: number;
}

export class Requests {
  readonly #nc: NatsConnection;
  readonly #inbox = createInbox();
  readonly #pending = new Map<string, Pending>();
  #count = 0;

  constructor(nc: NatsConnection) {
    this.#nc = nc;
    nc.subscribe(`${this.#inbox}.*`, {
      callback: (error, answer) => {
        if (error) this.failAll(error);
        else this.#receive(answer);
      },
    });
  }

  send({ subject, payload, headers, timeoutMs }: Request): Promise<Msg> {
    this.#count += 1;
    const token = this.#count.toString(36);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#end(token)?.reject(new Error(`no answer within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(token, { resolve, reject, timer });
      try {
        const reply = `${this.#inbox}.${token}`;
        this.#nc.publish(subject, payload, headers ? { reply, headers } : { reply });
      } catch (error) {
        this.#end(token)?.reject(error as Error);
      }
    });
  }

  failAll(error: Error): void {
    for (const token of [...this.#pending.keys()]) this.#end(token)?.reject(error);
  }

  #receive(answer: Msg): void {
    const pending = this.#end(answer.subject.slice(this.#inbox.length + 1));
    if (!pending) return;
    if (answer.data.length === 0 && answer.headers?.code === NO_RESPONDERS) {
      pending.reject(new Error('no stream or service takes it'));
    } else pending.resolve(answer);
  }

  #end(token: string): Pending | null {
    const pending = this.#pending.get(token);
    if (!pending) return null;
    this.#pending.delete(token);
    clearTimeout(pending.timer);
    return pending;
  }
}
