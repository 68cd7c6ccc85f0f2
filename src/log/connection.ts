/**
 * The connection to NATS. In: address, user, password. Out: a link that reconnects for ever and
 * says so, or NATS_UNREACHABLE when the first connection fails for FIRST_CONNECT_MS.
 *
 * Invariants: a request is never sent late. While the connection is lost requests fail at once, and
 * a loss fails those in flight: what was given up must not reach the log after its own retry (the
 * client keeps what is published meanwhile and would send it on reconnecting).
 */
import {
  AuthorizationError,
  connect,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  type Status,
} from '@nats-io/transport-node';
import { createBackoff } from '../base/backoff.ts';
import { type Clock, systemClock } from '../base/clock.ts';
import { OperatingError } from '../model/error.ts';
import { Requests } from './request.ts';

/** First connection: longer than an embedded server takes to come up, short enough for a person. */
const FIRST_CONNECT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** Between attempts on a lost connection: a restarted server is found at once. */
const RECONNECT_WAIT_MS = 100;
/** A half-open connection is noticed after PING_OUT_MAX pings without an answer. */
const PING_EVERY_MS = 5_000;
const PING_OUT_MAX = 2;
const RETRY_FIRST_MS = 50;
const RETRY_MAX_MS = 500;
/** Default of one request: R3 leader elections take 4–9 s, callers retry beyond this. */
const REQUEST_TIMEOUT_MS = 5_000;

export interface NatsConnectionOptions {
  /** One address, or several of one cluster with commas between. */
  readonly url: string;
  readonly user?: string;
  readonly password?: string;
  /** Shown in the server's connection list. */
  readonly name: string;
  /** 'lost' with the first loss, 'restored' when it is back, 'closed' at the end. */
  readonly onStatus?: (status: LinkStatus) => void;
  readonly firstConnectMs?: number;
  readonly clock?: Clock;
}

export type LinkStatus =
  | { readonly kind: 'lost' | 'restored' | 'closed' }
  | { readonly kind: 'error'; readonly error: Error };

export interface RequestOptions {
  readonly headers?: MsgHdrs;
  readonly timeoutMs?: number;
}

/** Where the connection leads now, for one more beside it in the bare protocol. */
export interface Route {
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: string;
}

export interface NatsLink {
  readonly nc: NatsConnection;
  /** Null: it is lost, or encrypted, or not plain TCP. */
  readonly route: Route | null;
  readonly isConnected: boolean;
  /** Rises with each loss: what was subscribed under another count may have gaps. */
  readonly losses: number;
  /** Called at each loss and restoration; gives the way to stop it. */
  onChange(callback: () => void): () => void;
  /** NATS_UNREACHABLE when there is no answer; an answer may still be a refusal. */
  request(subject: string, payload: Uint8Array, options?: RequestOptions): Promise<Msg>;
  close(): Promise<void>;
}

export async function createNatsConnection(options: NatsConnectionOptions): Promise<NatsLink> {
  const nc = await connectFirst(options);
  const callbacks = new Set<() => void>();
  const requests = new Requests(nc);
  const state = { isConnected: true, losses: 0 };

  void watch(nc, (status) => {
    options.onStatus?.(status);
    if (status.kind === 'error') return;
    state.isConnected = status.kind === 'restored';
    if (status.kind !== 'restored') state.losses += 1;
    if (!state.isConnected) requests.failAll(lostError(options.url));
    for (const callback of [...callbacks]) callback();
  });

  async function request(subject: string, payload: Uint8Array, sent: RequestOptions = {}) {
    if (!state.isConnected || nc.isClosed()) throw lostError(options.url);
    const { headers, timeoutMs = REQUEST_TIMEOUT_MS } = sent;
    try {
      return await requests.send({ subject, payload, headers, timeoutMs });
    } catch (cause) {
      if (cause instanceof OperatingError) throw cause;
      throw unansweredError(subject, cause);
    }
  }

  return {
    nc,
    request,
    onChange(callback) {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
    close: () => nc.close(),
    get isConnected() {
      return state.isConnected;
    },
    get route() {
      return state.isConnected ? routeOf(nc, options) : null;
    },
    get losses() {
      return state.losses;
    },
  };
}

function routeOf(nc: NatsConnection, { url, user, password }: NatsConnectionOptions) {
  const isPlain = url.split(',').every((each) => /^nats:\/\//i.test(each));
  if (!isPlain || nc.info?.tls_required === true) return null;
  const address = /^\[?([^\]]+)\]?:(\d+)$/.exec(nc.getServer());
  if (!address) return null;
  return {
    host: address[1]!,
    port: Number(address[2]),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
  };
}

async function connectFirst(options: NatsConnectionOptions): Promise<NatsConnection> {
  const clock = options.clock ?? systemClock;
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_MAX_MS);
  const deadlineMs = clock.monotonicMs() + (options.firstConnectMs ?? FIRST_CONNECT_MS);
  while (true) {
    try {
      return await connect({
        // One of them is enough to begin with; the client learns of the others.
        servers: options.url.split(','),
        name: options.name,
        ...(options.user === undefined ? {} : { user: options.user }),
        ...(options.password === undefined ? {} : { pass: options.password }),
        timeout: CONNECT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        // A server that restarts may refuse a user for a moment; a wrong one is found out below.
        ignoreAuthErrorAbort: true,
        pingInterval: PING_EVERY_MS,
        maxPingOut: PING_OUT_MAX,
        noAsyncTraces: true,
      });
    } catch (cause) {
      const isRefused = cause instanceof AuthorizationError;
      if (isRefused || clock.monotonicMs() >= deadlineMs) throw firstError(options, cause);
      await clock.wait(backoff.nextMs());
    }
  }
}

async function watch(nc: NatsConnection, tell: (status: LinkStatus) => void): Promise<void> {
  for await (const status of nc.status()) {
    const kind = KINDS[status.type];
    if (status.type === 'error') tell({ kind: 'error', error: status.error });
    else if (kind) tell({ kind });
  }
}

const KINDS: Partial<Record<Status['type'], 'lost' | 'restored' | 'closed'>> = {
  disconnect: 'lost',
  staleConnection: 'lost',
  forceReconnect: 'lost',
  reconnect: 'restored',
  close: 'closed',
};

function firstError({ url, user }: NatsConnectionOptions, cause: unknown): OperatingError {
  const isRefused = cause instanceof AuthorizationError;
  const why = isRefused
    ? `refuses user ${user ?? '(none)'}: check nats.user and its password`
    : `does not answer (${(cause as Error).message}): check nats.url and that the server runs`;
  return new OperatingError('NATS_UNREACHABLE', `The NATS server at ${url} ${why}.`, {
    cause,
    where: { url },
  });
}

function lostError(url: string): OperatingError {
  return new OperatingError(
    'NATS_UNREACHABLE',
    `The connection to the NATS server at ${url} is lost; it is being restored.`,
    { where: { url } },
  );
}

function unansweredError(subject: string, cause: unknown): OperatingError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new OperatingError('NATS_UNREACHABLE', `No answer from NATS on ${subject}: ${why}.`, {
    cause,
    where: { subject },
  });
}
