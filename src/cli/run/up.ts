/**
 * `millrace up`: starts the engines and the pipeline, shows what flows, and stops everything at the
 * first Ctrl-C, within STOP_MS_MAX; a second one ends it at once. Nothing is left running.
 */
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { startOf } from '../../base/process.ts';
import { createShiftedClock } from '../../base/shifted-clock.ts';
import { environment } from '../../config/index.ts';
import { createMillrace, type Millrace } from '../../main.ts';
import { OperatingError } from '../../model/error.ts';
import { ID_PATTERN } from '../../model/record.ts';
import { EXIT } from '../exit.ts';
import { printJson, printLine, reportError } from '../report.ts';
import {
  DATA_FOLDER,
  DEMO_FOLDER,
  findRunState,
  instanceId,
  type RunState,
  removeRunState,
  saveRunState,
  stateFolder,
} from '../run-file.ts';
import { version } from '../version.ts';
import { DEMO_TRUCKS, runDemo } from './demo.ts';
import { type EngineSet, startEngines } from './engine-set.ts';
import { type Screen, showLive } from './live.ts';
import { servePhases } from './phase.ts';
import { costText, openProfile, type Profiling } from './profile.ts';
import { loadSettings, type Settings } from './settings.ts';
import { createTroubleTeller } from './trouble.ts';

/** Ctrl-C ends everything within 10 s: these three together, and a moment for the process. */
const SENDERS_STOP_MS_MAX = 500;
/** What is not drained by then is in the log; what is not acknowledged by then was not promised. */
const DRAIN_MS_MAX = 5_000;
const ENGINES_STOP_MS_MAX = 4_000;
const NATS_URLS = /^(nats|tls|ws|wss):\/\/[^\s/,]+(,(nats|tls|ws|wss):\/\/[^\s/,]+)*$/;

interface UpOptions {
  readonly demo?: boolean;
  readonly config?: string;
  readonly dataDir?: string;
  readonly ports?: string;
  readonly json?: boolean;
  readonly join?: string;
  readonly name?: string;
  readonly apply?: boolean;
  /** True: a file with a name of its own. */
  readonly profile?: string | true;
}

const EXAMPLES = `
Examples:
  $ millrace up --demo                 1,000 simulated trucks, data in ${DEMO_FOLDER}
  $ millrace up                        ./millrace.yaml when it is there, data in ${DATA_FOLDER}
  $ millrace up --config my.yaml --data-dir /srv/millrace
  $ millrace up --ports auto           free ports, so that several run side by side
  $ millrace up --join nats://a:4222,nats://b:4222 --config cluster.yaml --name worker-2`;

export function upCommand(): Command {
  return new Command('up')
    .description('start everything: engines, log, kernel, read models')
    .option('--demo', 'run the simulated truck fleet, with data of its own')
    .option('--config <file>', 'configuration (default: ./millrace.yaml when it is there)')
    .option('--data-dir <folder>', `where data lies (default: ${DATA_FOLDER})`)
    .option('--ports <auto>', '"auto": free ports instead of the configured ones')
    .option('--join <url>', 'one more worker on the log of this NATS server or cluster')
    .option('--name <name>', 'name of this worker among others (default: from the data folder)')
    .option('--apply', 'make this configuration the one of all workers of the log')
    .option('--profile [file]', 'write a CPU profile of the main thread (at most 10 minutes)')
    .option('--json', 'one JSON line when it is up, one per second with what flows')
    .addHelpText('after', EXAMPLES)
    .action(up);
}

async function up(options: UpOptions): Promise<void> {
  if (options.ports !== undefined && options.ports !== 'auto') {
    throw new OperatingError('INPUT_INVALID', `--ports ${options.ports}: only "auto" is known`);
  }
  const named = options.dataDir ?? (options.demo ? DEMO_FOLDER : environment.dataFolder);
  const folder = resolve(named ?? DATA_FOLDER);
  const running = findRunState(folder);
  if (running) {
    throw new OperatingError(
      'ALREADY_RUNNING',
      `${folder} is in use by process ${running.pid} since ${running.startedAt}`,
      { where: { folder, pid: running.pid } },
    );
  }
  const say = (line: string) => options.json || printLine(`  ${line}`);
  if (!options.json) printLine(`Millrace: starting on ${folder}`);
  const settings = joined(
    loadSettings({ ...options, demo: options.demo === true, folder }),
    options.join,
  );
  checkStateStore(settings.config);
  const profiling = profilingOf(options);
  instanceId(folder); // marks the folder as ours before anything is written into it
  for (const warning of settings.warnings) say(`warning: ${warning}`);
  const failed = new AbortController();
  const ending = new AbortController();
  const pids: (() => number | null)[] = [];
  const ended = handleSignals(ending, pids);
  let engines: EngineSet | null = null;
  try {
    engines = await startEngines({
      config: settings.config,
      folder,
      portsAuto: options.ports === 'auto',
      say,
      onTrouble: (error) => reportError(error, options.json === true),
      onFailed: (error) => failed.abort(error),
      onSpawned: (pid) => pids.push(pid),
    });
    const fail = (error: OperatingError) => failed.abort(error);
    const signals = { failed: failed.signal, fail, ending };
    await run({ options, folder, settings, engines, profiling, ...signals });
  } finally {
    const stopped = await within(ENGINES_STOP_MS_MAX, engines?.stop() ?? Promise.resolve());
    if (!stopped) killAll(pids);
    removeRunState(folder);
    ended();
  }
}

function profilingOf({ profile }: UpOptions): Profiling | null {
  if (profile === undefined) return null;
  const at = new Date(systemClock.nowMs()).toISOString().replace(/[:.]/g, '-');
  return openProfile(profile === true ? `millrace-${at}.cpuprofile` : profile, systemClock);
}

/** Rows of one log belong into one database: a joined worker cannot have one of its own. */
function joined(settings: Settings, url: string | undefined): Settings {
  if (url === undefined) return settings;
  const { config } = settings;
  if (config.clickhouse.url === null) {
    throw new OperatingError(
      'INPUT_INVALID',
      '--join needs the ClickHouse of the other workers: set clickhouse.url in millrace.yaml',
    );
  }
  if (!NATS_URLS.test(url)) {
    throw new OperatingError(
      'INPUT_INVALID',
      `--join ${url}: expected nats://host:port, or several with commas between`,
    );
  }
  return { ...settings, config: { ...config, nats: { ...config.nats, url } } };
}

/** A worker that takes over must find what the one before it saved. */
function checkStateStore({ checkpoint, nats }: Settings['config']): void {
  if (checkpoint.store !== 'folder' || nats.url === null) return;
  throw new OperatingError(
    'INPUT_INVALID',
    'checkpoint.store: folder is for one machine with its embedded nats-server: other workers of ' +
      `${nats.url} could not read this folder when they take over. Leave checkpoint.store at ` +
      'stream in millrace.yaml',
  );
}

/** The log's other workers know this one by it; alone it is the data folder's own id. */
function workerName({ options, folder, settings }: RunOptions): string {
  const id = instanceId(folder);
  if (settings.config.nats.url === null) return id;
  const name = options.name ?? `worker-${id.slice(0, 8)}`;
  if (ID_PATTERN.test(name)) return name;
  throw new OperatingError(
    'INPUT_INVALID',
    `--name ${name}: expected 1 to 64 characters of A-Z a-z 0-9 _ -`,
  );
}

function joinOptions({ options, fail }: RunOptions) {
  return { version: version(), apply: options.apply === true, onNamesake: fail };
}

interface RunOptions {
  readonly options: UpOptions;
  readonly folder: string;
  readonly settings: Settings;
  readonly engines: EngineSet;
  readonly profiling: Profiling | null;
  readonly failed: AbortSignal;
  readonly fail: (error: OperatingError) => void;
  readonly ending: AbortController;
}

async function run(context: RunOptions): Promise<void> {
  const { options, folder, settings, engines, ending } = context;
  const { config } = settings;
  const screen: Screen = { lines: 0 };
  const tellTrouble = createTroubleTeller({
    clock: systemClock,
    tell(error, repeated) {
      reportError(error, options.json === true);
      if (repeated > 0)
        process.stderr.write(`  (and ${repeated} times more since the last time)\n`);
      screen.lines = 0; // the figures go on below
    },
  });
  const creating = createMillrace({
    config,
    declare: settings.declare,
    locate: settings.locate,
    nats: engines.nats,
    clickhouse: engines.clickhouse,
    ...(engines.storeBytesMax === null ? {} : { storeBytesMax: engines.storeBytesMax }),
    instance: workerName(context),
    ...(environment.clockFile ? { clock: createShiftedClock(environment.clockFile) } : {}),
    ...(config.nats.url === null ? {} : { join: joinOptions(context) }),
    spoolFolder: join(folder, 'spool'),
    stateFolder: stateFolder(folder),
    onTrouble: (_, error) => {
      if (!ending.signal.aborted) tellTrouble(error);
    },
  });
  creating.catch(() => {}); // told below, unless the end came first
  const millrace = await Promise.race([creating, endOf(ending.signal, context.failed)]);
  if (!millrace) {
    // Nothing was accepted yet: the engines are stopped under whatever is still starting.
    context.failed.throwIfAborted();
    return;
  }
  const state = runState(context, settings.files[0] ?? null);
  saveRunState(folder, state);
  servePhases(millrace.link.nc, state, millrace.runtime);
  await context.profiling?.start();
  if (options.json) printJson({ up: true, folder, pid: process.pid, ...publicState(state) });
  const background = new AbortController();
  const work = options.demo
    ? runDemo(millrace.ingest, millrace.plan, systemClock, background.signal)
    : Promise.resolve();
  const shown = showLive({
    millrace,
    state,
    asJson: options.json === true,
    title: options.demo ? `demo fleet of ${DEMO_TRUCKS} trucks` : 'running',
    signal: background.signal,
    screen,
  });
  await endOf(ending.signal, context.failed);
  background.abort();
  await within(SENDERS_STOP_MS_MAX, Promise.all([work, shown]));
  if (!options.json) printLine('\nStopping: draining what was accepted …');
  await drained(millrace);
  await tellProfile(context);
  if (context.failed.aborted) throw context.failed.reason;
}

async function tellProfile({ options, profiling }: RunOptions): Promise<void> {
  if (!profiling) return;
  const costs = await profiling.save();
  if (options.json) printJson({ profile: profiling.file, costs });
  else for (const line of ['', profiling.file, ...costs.map(costText)]) printLine(line);
}

/** Whatever has not drained by then is in the log, and goes on from there at the next start. */
async function drained(millrace: Millrace): Promise<void> {
  if (await within(DRAIN_MS_MAX, millrace.stop())) return;
  process.stderr.write('not everything drained in time; the log keeps it for the next start\n');
}

/** True when the work was done before the time was over; its own failure counts as done. */
function within(limitMs: number, work: Promise<unknown>): Promise<boolean> {
  const done = work.then(
    () => true,
    () => true,
  );
  return Promise.race([done, systemClock.wait(limitMs).then(() => false)]);
}

function endOf(...signals: readonly AbortSignal[]): Promise<void> {
  const any = AbortSignal.any([...signals]);
  if (any.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    any.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** First signal: an orderly end. Second: children are killed and the process ends at once. */
function handleSignals(ending: AbortController, pids: readonly (() => number | null)[]) {
  const onSignal = () => {
    if (!ending.signal.aborted) return ending.abort();
    killAll(pids);
    process.exit(EXIT.interrupted);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
    // Sinks that wait for an engine that is gone would hold the process: everything is stopped.
    setImmediate(() => process.exit());
  };
}

function killAll(pids: readonly (() => number | null)[]): void {
  for (const pid of pids.map((find) => find()).filter((each) => each !== null)) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it is gone already
    }
  }
}

function runState(context: RunOptions, configFile: string | null): RunState {
  const { settings, engines } = context;
  const { nats, clickhouse } = engines;
  return {
    pid: process.pid,
    pidStart: startOf(process.pid),
    startedAt: new Date(systemClock.nowMs()).toISOString(),
    configFile,
    name: workerName(context),
    log: settings.config.log.id,
    partitions: settings.config.log.partitions,
    stateStore: settings.config.checkpoint.store,
    nats: {
      url: nats.url,
      user: nats.user ?? '',
      password: nats.password ?? '',
      websocketUrl: nats.websocketUrl,
    },
    clickhouse,
  };
}

function publicState({ nats, clickhouse, log, partitions }: RunState) {
  return { nats: nats.url, clickhouse: clickhouse.url, log, partitions };
}
