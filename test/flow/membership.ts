/**
 * The simulated membership: heartbeats that arrive late or not at all, orders that may be lost, and
 * pins. In: what each living process announces. Out: what the others have heard of it.
 */
import type { Clock } from '../../src/base/clock.ts';
import type { Member, MemberOrders, MemberStatus, Membership } from '../../src/model/doors.ts';
import { OperatingError } from '../../src/model/error.ts';
import { HEARTBEAT_INTERVAL_MS } from '../../src/model/limit.ts';
import type { Life, Scheduler } from './scheduler.ts';

interface Seat {
  readonly life: Life;
  readonly clock: Clock;
  readonly heard: Map<string, Member>;
  orders: MemberOrders | null;
  isStopped: boolean;
}

export class SimulatedMembership {
  readonly #scheduler: Scheduler;
  /** The newest process of each worker. */
  readonly #seats = new Map<string, Seat>();
  readonly #silentUntilMs = new Map<string, number>();
  pinned: ReadonlyMap<number, string> = new Map();
  lostHeartbeats = 0;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  silence(worker: string, durationMs: number): void {
    this.#silentUntilMs.set(worker, this.#scheduler.nowMs + durationMs);
  }

  heal(): void {
    this.#silentUntilMs.clear();
    this.lostHeartbeats = 0;
  }

  /** Orders given by an operator, not by a member. */
  orders(worker: string): MemberOrders | null {
    const seat = this.#seats.get(worker);
    return seat?.life.isAlive ? seat.orders : null;
  }

  door(worker: string, life: Life, clock: Clock): Membership {
    const seat: Seat = { life, clock, heard: new Map(), orders: null, isStopped: false };
    this.#seats.set(worker, seat);
    const hearingSinceMs = clock.monotonicMs();
    return {
      announce: (status) => this.#beat(worker, seat, status),
      get members() {
        return [...seat.heard.values()];
      },
      hearingSinceMs,
      requestHandOver: (member, partition) => this.#request(life, member, partition),
      serve: (orders) => {
        seat.orders = orders;
      },
      pins: () => this.#scheduler.call(life, { door: 'member', what: 'pins' }, () => this.pinned),
      stop: async () => {
        seat.isStopped = true;
      },
    };
  }

  #beat(worker: string, seat: Seat, status: () => MemberStatus): void {
    const { random, nowMs } = this.#scheduler;
    if (seat.isStopped) return;
    const isSilent = (this.#silentUntilMs.get(worker) ?? 0) > nowMs;
    if (!isSilent) this.#tell(seat, status());
    const nextMs = HEARTBEAT_INTERVAL_MS * (0.9 + random.uniform() * 0.4);
    this.#scheduler.deliver(seat.life, nextMs, () => this.#beat(worker, seat, status));
  }

  #tell(seat: Seat, status: MemberStatus): void {
    const { random } = this.#scheduler;
    for (const [name, other] of this.#seats) {
      if (name === status.id || !other.life.isAlive) continue;
      if (this.#scheduler.isOut('member', seat.life)) continue;
      if (this.#scheduler.isOut('member', other.life)) continue;
      if (this.lostHeartbeats > 0 && random.chance(this.lostHeartbeats)) continue;
      const lateMs = random.uniform() * 5;
      this.#scheduler.deliver(other.life, lateMs, () => {
        other.heard.set(status.id, { ...status, heardAtMs: other.clock.monotonicMs() });
      });
    }
  }

  async #request(life: Life, member: string, partition: number): Promise<boolean> {
    const target = this.#seats.get(member);
    const what = `hand-over ${partition} by ${member}`;
    const orders = await this.#scheduler.call(life, { door: 'member', what }, () => {
      const isThere = target?.life.isAlive && target.orders;
      if (!isThere || this.#scheduler.isOut('member', target.life)) {
        throw new OperatingError('NATS_UNREACHABLE', `${member} does not answer`);
      }
      return target.orders;
    });
    if (!orders || !target) return false;
    return new Promise((resolve, reject) => {
      // An answer comes within ten seconds, or the asker gives up; the order stands.
      this.#scheduler.deliver(life, 10_000, () => {
        reject(new OperatingError('NATS_UNREACHABLE', `${member} does not answer`));
      });
      this.#scheduler.deliver(target.life, 1, () => {
        void orders.handOver(partition).then((isReleased) => {
          this.#scheduler.deliver(life, 1, () => resolve(isReleased));
        });
      });
    });
  }
}
