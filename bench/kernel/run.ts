/**
 * W2: the kernel against its peers. In: cases, subjects and how many events. Out: a measurement per
 * case and subject. Groups of the log are made outside the measured time and given to the subjects
 * in turn, forwards and backwards (A B, B A, …), so that what disturbs the machine disturbs all.
 */
import type { KernelBuild } from '../../src/kernel/binary.ts';
import type { Plan } from '../../src/model/plan.ts';
import { commit, type Measurement } from '../measurement.ts';
import { PEERS, Peer } from '../peer/peer.ts';
import { Corpus } from './corpus.ts';
import { Millrace } from './millrace.ts';
import { type Format, planFor, SHAPES, type ShapeName } from './shape.ts';
import { type Subject, Watch } from './subject.ts';

export interface KernelCase {
  readonly name: string;
  readonly shape: ShapeName;
  readonly format: Format;
  readonly devices: number;
  readonly subjects: readonly string[];
  /** Measured events, after one group per subject to warm up and one event per device. */
  readonly events: number;
  /** Of the partition; by the number of devices when absent. */
  readonly memoryBytes?: number;
}

const JSON_SUBJECTS = ['millrace', 'millrace-scalar', 'naive'];
const PROTOBUF_SUBJECTS = ['millrace', 'millrace-scalar', 'protobufjs'];
const BUILDS: Readonly<Record<string, KernelBuild>> = {
  millrace: 'simd',
  'millrace-scalar': 'scalar',
};
export const SUBJECTS: readonly string[] = [...Object.keys(BUILDS), ...PEERS];
const MIB = 1024 * 1024;
const K = 1000;
const M = K * K;

const EVENTS = 1.5 * M;

function caseOf(name: string, shape: ShapeName, devices: number): KernelCase {
  const format = name.includes('json') ? 'json' : 'protobuf';
  const subjects = format === 'json' ? JSON_SUBJECTS : PROTOBUF_SUBJECTS;
  return { name, shape, format, devices, subjects, events: EVENTS };
}

export const CASES: readonly KernelCase[] = [
  caseOf('point-json', 'point', 5 * K),
  caseOf('point-protobuf', 'point', 5 * K),
  caseOf('truck-json', 'truck', 50 * K),
  caseOf('truck-protobuf', 'truck', 50 * K),
  caseOf('point-json-1k', 'point', K),
  caseOf('point-protobuf-1k', 'point', K),
  { ...caseOf('series-protobuf-1k', 'series', K), subjects: ['millrace'] },
  // Long enough for every device to close a minute and an hour.
  {
    ...caseOf('series-protobuf-1m', 'series', M),
    subjects: ['millrace'],
    events: 7 * M,
    // What the whole partition may take: it would stop where a fleet needs more.
    memoryBytes: 1536 * MIB,
  },
];

/** The same case in a size that fits into a test run. */
export function small(given: KernelCase): KernelCase {
  return { ...given, devices: Math.min(given.devices, 100), events: 20 * K };
}

const GROUP_EVENTS = 50 * K;
/** Gives V8 the time to compile its best code before anything is counted. */
const WARM_EVENTS = 400 * K;

export interface KernelResult extends Measurement {
  readonly stateBytes: number;
}

export function runKernelCase(given: KernelCase): KernelResult[] {
  const plan = planFor(SHAPES[given.shape], given.format, given.devices);
  const shape = SHAPES[given.shape];
  const corpus = new Corpus({ ...given, shape, plan: JSON.stringify(plan) });
  const subjects = given.subjects.map((name) => subjectOf(name, plan, given));
  const groupEvents = Math.min(GROUP_EVENTS, given.events);
  const warm = Math.max(given.devices, Math.min(WARM_EVENTS, given.events));
  for (let made = 0; made < warm; ) {
    const group = corpus.next(groupEvents);
    made += group.events;
    for (const subject of subjects) subject.run(group, new Watch());
  }
  let events = 0;
  const watches = subjects.map(() => [] as Watch[]);
  for (let round = 0; events < given.events; round++) {
    const group = corpus.next(groupEvents);
    events += group.events;
    const order = subjects.map((_, index) => index);
    for (const index of round % 2 === 0 ? order : order.reverse()) {
      const watch = new Watch();
      // What the corpus and the subject before left behind is not this one's work.
      globalThis.gc?.();
      subjects[index]!.run(group, watch);
      watches[index]!.push(watch);
    }
  }
  return subjects.map((subject, index) => resultOf(given, subject, watches[index]!, events));
}

function resultOf(
  given: KernelCase,
  subject: Subject,
  watches: readonly Watch[],
  events: number,
): KernelResult {
  const sum = (pick: (watch: Watch) => number) =>
    watches.reduce((total, watch) => total + pick(watch), 0);
  const wallSeconds = sum((watch) => watch.wallMicros) / 1e6;
  const cpuMicrosPerEvent = sum((watch) => watch.cpuMicros) / events;
  return {
    workload: 'kernel',
    case: given.name,
    subject: subject.name,
    events,
    wallSeconds,
    cpuMicrosPerEvent,
    // Of one core: the machine may be busy with other things.
    eventsPerSecond: 1e6 / cpuMicrosPerEvent,
    resultHash: subject.result.toString(),
    commit: commit(),
    stateBytes: subject.stateBytes(),
  };
}

const MEMORY_BYTES = 128 * MIB;
const MEMORY_BYTES_PER_DEVICE = 3072;
const MEMORY_BYTES_MAX = 4096 * MIB - 65_536;

function subjectOf(name: string, plan: Plan, given: KernelCase): Subject {
  const build = BUILDS[name];
  if (build === undefined) return new Peer(name as (typeof PEERS)[number], plan);
  const wanted = given.memoryBytes ?? MEMORY_BYTES + given.devices * MEMORY_BYTES_PER_DEVICE;
  return new Millrace({ name, build, plan, memoryBytes: Math.min(wanted, MEMORY_BYTES_MAX) });
}
