/**
 * The door Membership in memory: one hub, a seat per worker. In: what each worker announces. Out:
 * what the others hear at once when they look. `silence` makes a worker unheard (it is killed,
 * stopped or cut off), `speak` lets it be heard again.
 */
import type { Clock } from '../../src/base/clock.ts';
import type { Member, MemberOrders, MemberStatus, Membership } from '../../src/model/doors.ts';

interface Seat {
  status: (() => MemberStatus) | null;
  orders: MemberOrders | null;
  /** What was heard last, once it is silent. */
  last: Member | null;
}

export class MemoryHub {
  readonly #clock: Clock;
  readonly #seats = new Map<string, Seat>();
  pinned: ReadonlyMap<number, string> = new Map();
  /** What is heard of what was said. */
  retell: (status: MemberStatus) => MemberStatus = (status) => status;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  silence(id: string): void {
    const seat = this.#seats.get(id);
    if (seat) seat.last = this.#hear(seat);
  }

  speak(id: string): void {
    const seat = this.#seats.get(id);
    if (seat) seat.last = null;
  }

  join(id: string): Membership {
    const seat: Seat = { status: null, orders: null, last: null };
    this.#seats.set(id, seat);
    const hear = (): Member[] =>
      [...this.#seats].flatMap(([other, its]) => (other === id ? [] : (this.#hear(its) ?? [])));
    const hearingSinceMs = this.#clock.monotonicMs();
    return {
      announce: (status) => {
        seat.status = status;
      },
      get members() {
        return hear();
      },
      hearingSinceMs,
      requestHandOver: async (member, partition) =>
        (await this.#seats.get(member)?.orders?.handOver(partition)) ?? false,
      serve: (orders) => {
        seat.orders = orders;
      },
      pins: async () => this.pinned,
      stop: async () => this.silence(id),
    };
  }

  #hear(seat: Seat): Member | null {
    if (seat.last || !seat.status) return seat.last;
    return { ...this.retell(seat.status()), heardAtMs: this.#clock.monotonicMs() };
  }
}
