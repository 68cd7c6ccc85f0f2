/**
 * The door Membership over core NATS: heartbeats on `svc.millrace.heartbeat.<log>.<member>`, orders
 * on `svc.millrace.order.<log>.<member>`, pins in the bucket `millrace`. Lossy on purpose: whoever
 * is not heard is taken for silent, and only the ownership record decides.
 */
import { type KV, Kvm } from '@nats-io/kv';
import type { Msg, Subscription } from '@nats-io/transport-node';
import type { Clock } from '../../base/clock.ts';
import type { Member, MemberOrders, MemberStatus, Membership } from '../../model/doors.ts';
import { OperatingError } from '../../model/error.ts';
import { HEARTBEAT_INTERVAL_MS } from '../../model/limit.ts';
import { heartbeatSubject, orderSubject } from '../../wire/subject.ts';
import type { NatsLink } from '../connection.ts';
import { type Herald, linkHerald } from './herald.ts';

const BUCKET = 'millrace';
/** A hand-over waits for a checkpoint: a flush of inserts and an upload. */
const ORDER_TIMEOUT_MS = 15_000;
/** Members silent for so long are forgotten; until then their last words may matter. */
const FORGET_AFTER_MS = 600_000;

export interface MembershipOptions {
  readonly link: NatsLink;
  readonly log: string;
  readonly clock: Clock;
  /** Our own name and process; absent: an onlooker who only listens and gives orders. */
  readonly self?: { readonly id: string; readonly process: string };
  /** Who says that we live; default: we ourselves, while our loop turns. */
  readonly herald?: Herald;
  /** Told once when another process speaks under our name. */
  readonly onNamesake?: (error: OperatingError) => void;
}

export type Order =
  | { readonly kind: 'handOver'; readonly partition: number }
  | { readonly kind: 'drain'; readonly on: boolean };

export interface Roster extends Membership {
  order(member: string, order: Order): Promise<boolean>;
  pin(partition: number, member: string | null): Promise<void>;
}

export function createMembership(options: MembershipOptions): Roster {
  const { link, log, clock, self } = options;
  const heard = new Map<string, Member>();
  const subscriptions: Subscription[] = [];
  const stopping = new AbortController();
  let announcing: Promise<void> = Promise.resolve();
  let hearingSinceMs = clock.monotonicMs();
  let bucket: Promise<KV> | null = null;
  const unwatch = link.onChange(() => {
    hearingSinceMs = clock.monotonicMs();
  });

  subscriptions.push(
    link.nc.subscribe(heartbeatSubject(log, '*'), {
      callback: (error, message) => {
        const status = error ? null : read<MemberStatus>(message);
        if (typeof status?.id === 'string' && Array.isArray(status.owns)) hear(status);
      },
    }),
  );

  function hear(status: MemberStatus): void {
    const heardAtMs = clock.monotonicMs();
    if (status.id === self?.id) {
      if (status.process !== self.process) tellNamesake(status);
      return;
    }
    heard.set(status.id, { ...status, heardAtMs });
    for (const [id, member] of heard) {
      if (heardAtMs - member.heardAtMs > FORGET_AFTER_MS) heard.delete(id);
    }
  }

  let isTold = false;
  function tellNamesake(status: MemberStatus): void {
    if (isTold) return;
    isTold = true;
    const since = new Date(status.startedAtMs).toISOString();
    options.onNamesake?.(
      new OperatingError(
        'MEMBER_NAME_TAKEN',
        `another worker of log ${log} calls itself ${status.id} too, since ${since}; ` +
          'give each worker its own --name and --data-dir',
        { where: { member: status.id, process: status.process } },
      ),
    );
  }

  async function announce(status: () => MemberStatus): Promise<void> {
    const herald = options.herald ?? linkHerald(link, heartbeatSubject(log, status().id));
    while (!stopping.signal.aborted) {
      // Whoever cannot reach the log says nothing: somebody else may reach it.
      herald.tell(link.isConnected ? JSON.stringify(status()) : null);
      await clock.wait(HEARTBEAT_INTERVAL_MS, stopping.signal).catch(() => {});
    }
  }

  async function order(member: string, what: Order): Promise<boolean> {
    const body = Buffer.from(JSON.stringify(what));
    const timeoutMs = ORDER_TIMEOUT_MS;
    const reply = await link.request(orderSubject(log, member), body, { timeoutMs });
    return reply.json<{ done: boolean }>().done;
  }

  function serve(orders: MemberOrders): void {
    if (!self) throw new RangeError('bug: an onlooker takes no orders');
    const subject = orderSubject(log, self.id);
    const answer = async (message: Msg) => {
      const what = read<Order>(message);
      if (what?.kind !== 'handOver' && what?.kind !== 'drain') return;
      const done =
        what.kind === 'handOver'
          ? await orders.handOver(what.partition).catch(() => false)
          : orders.drain(what.on);
      if (!link.nc.isClosed()) message.respond(JSON.stringify({ done }));
    };
    const callback = (error: Error | null, message: Msg) => {
      if (!error) void answer(message);
    };
    subscriptions.push(link.nc.subscribe(subject, { callback }));
  }

  const open = (): Promise<KV> => {
    bucket ??= new Kvm(link.nc).open(BUCKET).catch((error) => {
      bucket = null;
      throw error;
    });
    return bucket;
  };

  async function pins(): Promise<ReadonlyMap<number, string>> {
    const entry = await (await open()).get(`pins.${log}`);
    if (entry?.operation !== 'PUT') return new Map();
    const pinned = Object.entries<string>(entry.json<Record<string, string>>());
    return new Map(pinned.map(([partition, member]) => [Number(partition), member]));
  }

  return {
    announce: (status) => {
      announcing = announce(status);
    },
    get members() {
      return [...heard.values()];
    },
    get hearingSinceMs() {
      return hearingSinceMs;
    },
    requestHandOver: (member, partition) => order(member, { kind: 'handOver', partition }),
    serve,
    order,
    pins,
    async pin(partition, member) {
      const pinned = new Map(await pins());
      if (member === null) pinned.delete(partition);
      else pinned.set(partition, member);
      const text = JSON.stringify(Object.fromEntries(pinned));
      await (await open()).put(`pins.${log}`, text);
    },
    async stop() {
      stopping.abort();
      unwatch();
      for (const subscription of subscriptions) subscription.unsubscribe();
      await announcing;
      await options.herald?.stop();
    },
  };
}

/** Null: not JSON. An error here would end the connection that everything else is on. */
function read<Words>(message: Msg): Words | null {
  try {
    return message.json<Words>();
  } catch {
    return null;
  }
}
