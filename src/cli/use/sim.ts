/**
 * `millrace sim`: a seeded truck fleet sends to the running instance, with the disorder of real
 * ones, and the ground truth of what was acknowledged is written beside it.
 */
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createIngest } from '../../ingest/index.ts';
import { createLogAppender, createLogReader } from '../../log/index.ts';
import type { Ingest } from '../../model/doors.ts';
import { isOperatingError, OperatingError } from '../../model/error.ts';
import type { Plan } from '../../model/plan.ts';
import type { DeviceRecord, LogPosition } from '../../model/record.ts';
import { NO_DISORDER, runSimulation, Simulation } from '../../sim/index.ts';
import { EXIT } from '../exit.ts';
import { catchInterrupt } from '../interrupt.ts';
import {
  examples,
  forInstance,
  type InstanceOptions,
  positiveNumber,
  wholeNumber,
} from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { fleetMetrics } from '../run/demo.ts';
import { findPlan, type Session } from '../session.ts';
import { publishNative } from './native-publish.ts';
import { openSupply } from './supply.ts';
import { TruthFile } from './truth-file.ts';

const TRUCKS_DEFAULT = 1000;
const STEP_MS = 10_000;
/** Channels a truck sends on, each once per step. */
const CHANNELS = ['truck', 'diagnostics'] as const;

type Rate = number | 'realtime';

interface SimOptions extends InstanceOptions {
  readonly trucks: number;
  readonly seed: number;
  readonly events?: number;
  readonly rate?: Rate;
  readonly start?: number;
  readonly truth?: string;
  readonly native?: boolean;
  readonly disorder: boolean;
}

const EXAMPLES = `${examples(
  'millrace sim                              1,000 trucks in real time, until Ctrl-C',
  'millrace sim --trucks 10 --events 5000    as fast as the log takes them, with ground truth',
  'millrace sim --native --rate 200          single NATS messages, as devices send them',
)}

The instance must have the channels truck and diagnostics: \`millrace up --demo\`, or
\`millrace up --config docs/examples/trucks.yaml\`. Same seed, trucks and start: same events.`;

export function simCommand(): Command {
  const command = new Command('sim')
    .description('send the events of a simulated truck fleet')
    .option('--trucks <n>', 'size of the fleet', positiveNumber, TRUCKS_DEFAULT)
    .option('--seed <n>', 'seed of everything that is random', wholeNumber, 1)
    .option('--events <n>', 'end after so many (default: at Ctrl-C)', positiveNumber)
    .option('--rate <n>', 'events per second, "realtime" or "max"', rateOf)
    .option('--start <time>', 'simulated time of the first step, ISO 8601', timeOf)
    .option('--truth <file>', 'ground truth, NDJSON (default with --events: <data folder>/sim)')
    .option('--native', 'publish single messages on iot.… instead of record batches')
    .option('--no-disorder', 'everything in order, nothing late, twice or missing')
    .addHelpText('after', EXAMPLES);
  return forInstance(command).action(sim);
}

function rateOf(text: string): Rate {
  if (text === 'realtime') return text;
  return text === 'max' ? 0 : positiveNumber(text);
}

function timeOf(text: string): number {
  const timeMs = Date.parse(text);
  if (Number.isFinite(timeMs)) return timeMs;
  throw new InvalidArgumentError('Expected a time such as 2026-01-01T00:00:00Z.');
}

async function sim(options: SimOptions): Promise<void> {
  const interruption = catchInterrupt();
  const supply = await openSupply(options, interruption.signal);
  const { session } = supply;
  const truth = openTruth(session, options);
  try {
    const plan = await findPlan(session);
    checkPlan(plan);
    const rate = options.rate ?? (options.events === undefined ? 'realtime' : 0);
    const startMs = options.start ?? startOf(options, rate);
    const simulation = new Simulation({
      seed: options.seed,
      trucks: options.trucks,
      startMs,
      stepMs: STEP_MS,
      metrics: fleetMetrics(plan),
      ...(options.disorder ? {} : { disorder: NO_DISORDER }),
    });
    const send = senderOf(session, options);
    const counts = { acknowledged: 0, refused: 0 };
    let failed: unknown = null;
    if (!options.json)
      printLine(`${options.trucks} trucks from ${new Date(startMs).toISOString()}`);
    const beganMs = systemClock.monotonicMs();
    await runSimulation(
      {
        simulation,
        send: async (record) => {
          await truth?.room();
          return send(record);
        },
        clock: systemClock,
        eventsPerSecond: rate,
        eventsMax: options.events ?? 0,
        onAcknowledged: (event) => {
          counts.acknowledged += 1;
          truth?.write(event);
        },
        onRefused: (_, error) => {
          counts.refused += 1;
          failed ??= error;
        },
      },
      supply.ending,
      supply.cut,
    );
    const seconds = (systemClock.monotonicMs() - beganMs) / 1000;
    await truth?.close();
    report(options, { ...counts, seconds, startMs, truth: truth?.path ?? null });
    if (failed !== null && counts.acknowledged === 0) throw failed;
    if (counts.refused > 0) reportRefusal(counts.refused, failed);
    supply.check();
  } finally {
    interruption.release();
    await supply.close();
  }
}

function openTruth({ folder }: Session, { truth, events, seed }: SimOptions): TruthFile | null {
  if (truth !== undefined) return new TruthFile(truth);
  if (events === undefined) return null;
  return new TruthFile(join(folder, 'sim', `${seed}.truth.ndjson`));
}

function checkPlan(plan: Plan | null): asserts plan is Plan {
  const isThere = (name: string) =>
    plan?.channels.some(
      (each) => each.name === name && !each.retired && each.format === 'protobuf',
    );
  const missing = CHANNELS.filter((name) => !isThere(name));
  if (missing.length === 0) return;
  throw new OperatingError(
    'INPUT_INVALID',
    `the running instance has no channel ${missing.join(' and ')} in protobuf: start it with ` +
      '`millrace up --demo` or with --config docs/examples/trucks.yaml',
  );
}

/** Faster than real time: the events end now, none of them lies in the future. */
function startOf({ events, trucks }: SimOptions, rate: Rate): number {
  const nowMs = systemClock.nowMs();
  if (rate === 'realtime' || events === undefined) return nowMs;
  return nowMs - Math.ceil(events / (trucks * CHANNELS.length)) * STEP_MS;
}

function senderOf(
  session: Session,
  options: SimOptions,
): (record: DeviceRecord) => Promise<LogPosition> {
  const { link, state } = session;
  if (options.native) return (record) => publishNative(link, record, systemClock);
  const appender = createLogAppender({ link, logId: state.log });
  const ingest: Ingest = createIngest({
    appender,
    log: createLogReader({ link, logId: state.log }),
    partitions: state.partitions,
    clock: systemClock,
  });
  return (record) => ingest.admit(record);
}

interface Outcome {
  readonly acknowledged: number;
  readonly refused: number;
  readonly seconds: number;
  readonly startMs: number;
  readonly truth: string | null;
}

function report(options: SimOptions, outcome: Outcome): void {
  const { acknowledged, refused, seconds, startMs, truth } = outcome;
  if (options.json) {
    const { seed, trucks } = options;
    const start = new Date(startMs).toISOString();
    printJson({ acknowledged, refused, seconds, seed, trucks, start, truth });
    return;
  }
  const perSecond = Math.round(acknowledged / Math.max(seconds, 0.001));
  printLine(`${acknowledged} events acknowledged in ${seconds.toFixed(1)} s (${perSecond}/s)`);
  if (truth) printLine(`ground truth: ${truth}`);
}

function reportRefusal(refused: number, error: unknown): void {
  const why = isOperatingError(error) ? `${error.code}: ${error.message}` : String(error);
  process.stderr.write(`${refused} events refused; the first: ${why}\n`);
  process.exitCode = EXIT.checkFailed;
}
