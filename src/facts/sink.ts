/**
 * The door FactSink over NATS. In: facts and dead letters of all partitions. Out: each on its
 * subject, acknowledged by its stream; shadows also in the bucket. At least once: a consumer keeps
 * the highest version per key. Windows, alerts, shadows, the bucket and dead letters have
 * lanes of their own, so that a flood of one does not hold up the others.
 */
import { type Clock, systemClock } from '../base/clock.ts';
import type { FactSink } from '../model/doors.ts';
import { type DeadLetter, type Fact, type ShadowFact, versionNumber } from '../model/fact.ts';
import { encodeDeadLetter, encodeFact, type FactFormat } from '../wire/fact.ts';
import { deadLetterSubject, factSubject } from '../wire/subject.ts';
import { Lane, type LaneCounts, type LaneTrouble } from './lane.ts';
import { type FactLink, publish } from './publication.ts';
import { keyOf, ShadowBucket } from './shadow-bucket.ts';

/** On their way per lane: hides the round trip, small beside the server's own buffers. */
const IN_FLIGHT_MAX = 256;
/**
 * Held per lane, in facts of 1–20 kB: enough for the closing of a minute of a few thousand devices.
 */
const HELD_MAX = 4_096;

export interface FactSinkOptions {
  readonly link: FactLink;
  /** Default 'json'. */
  readonly format?: FactFormat;
  /** Default 256. */
  readonly inFlightMax?: number;
  /** Default 4,096. */
  readonly heldMax?: number;
  readonly clock?: Clock;
  /** Told of each failed publish: the lane, why, and whether the fact is given up. */
  readonly onTrouble?: (trouble: LaneTrouble) => void;
}

type LaneName = 'window' | 'alert' | 'shadow' | 'bucket' | 'deadLetter';

export interface NatsFactSink extends FactSink {
  readonly counts: Readonly<Record<LaneName, LaneCounts>>;
  /** Gives up what is not acknowledged; call `flushed` before when it is to be waited for. */
  stop(): void;
}

export function createFactSink(options: FactSinkOptions): NatsFactSink {
  const lanes = createLanes(options);

  async function add(facts: readonly Fact[]): Promise<void> {
    const shadows = facts.filter((fact) => fact.kind === 'shadow');
    const windows = facts.filter((fact) => fact.kind === 'window');
    const alerts = facts.filter((fact) => fact.kind === 'alert');
    await Promise.all([
      lanes.shadow.add(shadows),
      lanes.bucket.add(shadows),
      lanes.window.add(windows),
      lanes.alert.add(alerts),
    ]);
  }

  const all = Object.values(lanes);
  return {
    publish: add,
    deadLetters: (letters) => lanes.deadLetter.add(letters),
    async flushed() {
      await Promise.all(all.map((lane) => lane.flushed()));
    },
    receipt() {
      const handedIn = all.map((lane) => lane.handedIn);
      return {
        get isAcknowledged() {
          return all.every((lane, each) => lane.isDone(handedIn[each]!));
        },
      };
    },
    stop() {
      for (const lane of all) lane.stop();
    },
    get counts() {
      return {
        window: lanes.window.counts,
        alert: lanes.alert.counts,
        shadow: lanes.shadow.counts,
        bucket: lanes.bucket.counts,
        deadLetter: lanes.deadLetter.counts,
      };
    },
  };
}

function createLanes(options: FactSinkOptions) {
  const { link, format = 'json' } = options;
  const common = {
    inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
    heldMax: options.heldMax ?? HELD_MAX,
    clock: options.clock ?? systemClock,
    ...(options.onTrouble ? { onTrouble: options.onTrouble } : {}),
  };
  const sendFact = async (fact: Fact) => {
    await publish(link, factSubject(fact), encodeFact(fact, format));
  };
  const bucket = new ShadowBucket(link, (fact) => encodeFact(fact, format));
  return {
    window: new Lane<Fact>({ ...common, name: 'window', send: sendFact }),
    alert: new Lane<Fact>({ ...common, name: 'alert', send: sendFact }),
    shadow: new Lane<Fact>({ ...common, name: 'shadow', send: sendFact }),
    bucket: new Lane<ShadowFact>({
      ...common,
      name: 'bucket',
      send: (fact) => bucket.put(fact),
      keyOf,
      isNewer: (left, right) => versionNumber(left.version) >= versionNumber(right.version),
    }),
    deadLetter: new Lane<DeadLetter>({
      ...common,
      name: 'deadLetter',
      send: async (letter) => {
        await publish(link, deadLetterSubject(letter), encodeDeadLetter(letter, format));
      },
    }),
  };
}
