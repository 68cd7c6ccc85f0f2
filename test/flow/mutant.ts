/**
 * Mutants: each breaks one rule of EXACTLY_ONCE in the doors or in the model kernel, and must be
 * caught by seeds. `tune` makes sure that a seed has what the mutant needs to do harm.
 */
import type { TurnOutput } from '../../src/model/doors.ts';
import { START_MS } from './clock.ts';
import type { Mutation } from './house.ts';
import type { Scenario } from './scenario.ts';

export interface Mutant {
  readonly name: string;
  readonly rule: string;
  readonly mutation: Mutation;
  readonly tune: (scenario: Scenario) => Scenario;
}

const DAY_MS = 86_400_000;
const asDrawn = (scenario: Scenario): Scenario => scenario;

const withCrashes = (scenario: Scenario): Scenario => ({
  ...scenario,
  incidents: { ...scenario.incidents, crash: scenario.incidents.crash + 3 },
});

const inCompany = (scenario: Scenario): Scenario => ({
  ...withCrashes(scenario),
  workers: 2,
  standbys: 1,
  partialInserts: 0.5,
});

const withLostTails = (scenario: Scenario): Scenario => ({
  ...scenario,
  incidents: { ...scenario.incidents, tailLoss: 2 },
});

const kept = (output: TurnOutput): TurnOutput => ({
  ...output,
  blocks: [],
  facts: [],
  deadLetters: [],
});

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'checkpoint-before-insert',
    rule: 'a record is written once everything up to its position is stored',
    mutation: { wire: ({ readModel }) => Object.assign(readModel, { skipsFlush: true }) },
    tune: withCrashes,
  },
  {
    name: 'claim-dropped',
    rule: 'claims and renewals are compare-and-set',
    mutation: { wire: ({ ownership }) => Object.assign(ownership, { ignoresRevision: true }) },
    tune: inCompany,
  },
  {
    name: 'delta-rows',
    rule: 'rows are absolute, never deltas',
    mutation: { isSumming: true, switches: { writesDeltas: true } },
    tune: withCrashes,
  },
  {
    name: 'wall-clock-in-a-turn',
    rule: 'a turn takes its time from the log',
    mutation: {
      switches: ({ scheduler }) => ({ usesWallClock: () => START_MS + scheduler.nowMs }),
    },
    tune: asDrawn,
  },
  {
    name: 'turn-cut-emission',
    rule: 'the end of a turn emits nothing',
    mutation: { switches: { emitsAtTurnEnd: true } },
    tune: asDrawn,
  },
  {
    name: 'range-derived-token',
    rule: 'an insert token names an attempt, not a range of the log',
    mutation: {
      wire: ({ readModel }) => {
        readModel.tokenOf = ({ items }) =>
          `${items[0]?.partition}/${items[0]?.position}-${items.at(-1)?.position}`;
      },
    },
    tune: (scenario) => ({
      ...scenario,
      incidents: { ...scenario.incidents, powerLoss: 3 },
    }),
  },
  {
    name: 'purge-before-durability',
    rule: 'the log is purged only below a durable checkpoint',
    mutation: {
      // What a checkpoint captured goes at once, while its objects are still on their way.
      doors: (house, { life }, doors) => ({
        ...doors,
        kernel: {
          ...doors.kernel,
          open: (options) => {
            const kernel = doors.kernel.open(options);
            const beginExport = kernel.beginExport.bind(kernel);
            kernel.beginExport = (sweep) => {
              beginExport(sweep);
              const purger = house.log.purger(life);
              const below = kernel.position + 1n;
              void purger.purge(options.partition, below, Number.MAX_SAFE_INTEGER).catch(() => {});
            };
            return kernel;
          },
        },
      }),
    },
    tune: withCrashes,
  },
  {
    name: 'standby-drops-backlog',
    rule: 'a takeover writes what the dead owner had in flight',
    mutation: {
      change: ({ ownership }, { id, lives }, partition, output) =>
        ownership.record(partition)?.owner === `${id}:p${lives}` ? output : kept(output),
    },
    tune: inCompany,
  },
  {
    name: 'published-before-acknowledged',
    rule: 'a takeover leaves out only facts that are on their subjects',
    mutation: { wire: ({ readModel }) => Object.assign(readModel, { skipsReceipts: true }) },
    tune: (scenario) => ({
      ...inCompany(scenario),
      incidents: { ...scenario.incidents, crash: 6 },
      calls: { ...scenario.calls, lostRequest: 0.2 },
    }),
  },
  {
    name: 'marks-cleared-early',
    rule: 'what a checkpoint captured stays marked until its record is acknowledged',
    mutation: { switches: { clearsMarksEarly: true } },
    tune: (scenario) => ({
      ...withCrashes(scenario),
      calls: { ...scenario.calls, lostRequest: 0.1 },
      incidents: { ...scenario.incidents, crash: 3, ownershipOut: 2, stateFull: 2 },
    }),
  },
  {
    name: 'objects-collected-during-an-upload',
    rule: 'only what no record will name is collected',
    mutation: {
      wire: ({ stateStore, ownership, scenario }) => {
        stateStore.onSave = (saved) => {
          const named = new Set<string>([saved]);
          for (let partition = 0; partition < scenario.partitions; partition += 1) {
            for (const name of ownership.record(partition)?.objects ?? []) named.add(name);
          }
          for (const name of stateStore.names) if (!named.has(name)) stateStore.remove(name);
        };
      },
    },
    tune: asDrawn,
  },
  {
    name: 'two-devices-one-message-id',
    rule: 'a message id belongs to its device',
    mutation: {
      wire: ({ log }) => {
        const seen = new Set<string>();
        log.swallow = ({ kind, body }) => {
          if (kind !== 'batch') return false;
          const events = JSON.parse(Buffer.from(body).toString('utf8')) as { id: string }[];
          const id = events[0]?.id ?? '';
          if (events.length > 1 || id === '') return false;
          if (seen.has(id)) return true;
          seen.add(id);
          return false;
        };
      },
    },
    tune: (scenario) => ({ ...scenario, idRate: 1 }),
  },
  {
    name: 'backlog-after-live-with-a-bitmap',
    rule: 'what was not received is never called a duplicate',
    mutation: { switches: { hasBitmap: true } },
    tune: (scenario) => ({ ...scenario, idRate: 0, backlogRate: 1, eventsPerDevice: 9 }),
  },
  {
    name: 'idle-close-then-backlog',
    rule: 'an idle time-out fires and never advances the watermark',
    mutation: { switches: { idleAdvancesWatermark: true } },
    tune: (scenario) => ({ ...scenario, backlogRate: 1 }),
  },
  {
    name: 'skip-met-before-it-is-written',
    rule: 'a record is skipped once the skip list says so',
    mutation: {
      wire: ({ ownership }) => Object.assign(ownership, { skipDelayMs: 4_000 }),
      doors: (_house, _worker, doors) => {
        const own: Parameters<typeof doors.ownership.addSkip>[0][] = [];
        const { ownership } = doors;
        return {
          ...doors,
          ownership: {
            ...ownership,
            addSkip: (position) => {
              own.push(position);
              return ownership.addSkip(position);
            },
            skips: async (partition) => [
              ...(await ownership.skips(partition)),
              ...own.filter((each) => each.partition === partition),
            ],
          },
        };
      },
    },
    tune: (scenario) => ({ ...withCrashes(scenario), poisonRate: 0.1 }),
  },
  {
    name: 'tail-loss-by-last-sequence-only',
    rule: 'a log is recognised by what its messages are, not by how many there are',
    mutation: {
      doors: (_house, _worker, doors) => ({
        ...doors,
        reader: { ...doors.reader, identity: async () => null },
      }),
    },
    tune: withLostTails,
  },
  {
    name: 'lost-tail-counted-beside-its-resend',
    rule: 'rows of older generations from above a cut count no more',
    mutation: { wire: ({ readModel }) => Object.assign(readModel, { forgetsCuts: true }) },
    tune: withLostTails,
  },
  {
    name: 'skips-outlive-a-lost-tail',
    rule: 'what was skipped is a message, not a place in the log',
    mutation: {
      doors: (_house, _worker, doors) => ({
        ...doors,
        ownership: { ...doors.ownership, dropSkips: async () => {} },
      }),
    },
    tune: (scenario) => ({ ...withLostTails(scenario), poisonRate: 0.1 }),
  },
  {
    name: 'arena-exhausted',
    rule: 'eviction happens where the log says, not where memory ends',
    mutation: { switches: { evictsWhenFull: true } },
    tune: (scenario) => ({ ...scenario, eventsPerDevice: 9, devices: 5, partitions: 1 }),
  },
  {
    name: 'leader-clock-a-day-ahead',
    rule: 'stamps from the future stop the owner',
    mutation: {
      doors: (_house, _worker, doors) => ({
        ...doors,
        clock: {
          nowMs: () => doors.clock.nowMs() + 2 * DAY_MS,
          monotonicMs: () => doors.clock.monotonicMs(),
          wait: (durationMs, signal) => doors.clock.wait(durationMs, signal),
        },
      }),
    },
    tune: (scenario) => ({
      ...scenario,
      incidents: { ...scenario.incidents, leaderAhead: 1 },
    }),
  },
  {
    name: 'session-merge-without-tombstone',
    rule: 'what was merged away is written as gone',
    mutation: { switches: { forgetsTombstones: true } },
    tune: (scenario) => ({ ...scenario, backlogRate: 1, eventsPerDevice: 9 }),
  },
  {
    name: 'checkpoints-refused-while-the-log-is-full',
    rule: 'checkpoints fit beside a full log, else nothing is ever purged',
    mutation: {
      wire: ({ ownership, log }) => {
        ownership.isRefusing = (partition) => log.isCrowded(partition);
      },
    },
    tune: (scenario) => ({
      ...scenario,
      eventsPerDevice: 9,
      logBytesMax: 2_500,
      incidents: { ...scenario.incidents, sleep: 0, sleepLate: 1, damage: 0 },
    }),
  },
  {
    name: 'a-block-of-120-days',
    rule: 'an insert may touch any number of days',
    mutation: { wire: ({ readModel }) => Object.assign(readModel, { daysMax: 100 }) },
    tune: (scenario) => ({ ...scenario, backlogDays: 120, outputMax: 400 }),
  },
];
