/**
 * `millrace doctor`: looks at everything that Millrace needs on this machine and says what to do
 * about what is missing. Changes nothing, downloads nothing. Exit code 4 when something would not
 * work.
 */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import pc from 'picocolors';
import { systemClock } from '../../base/clock.ts';
import { projectFolder } from '../../base/project.ts';
import { formatSize } from '../../base/quantity.ts';
import { environment } from '../../config/index.ts';
import { choosePorts, findNatsServer } from '../../engine/nats/index.ts';
import { loadKernel } from '../../kernel/index.ts';
import { type Config, pathText } from '../../model/config.ts';
import { isOperatingError } from '../../model/error.ts';
import { EXIT } from '../exit.ts';
import { examples } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { DATA_FOLDER, findRunState, MARKER_FILE } from '../run-file.ts';
import { openQuery, openSession } from '../session.ts';
import { findPortOwner } from './port-owner.ts';
import { loadSettings } from './settings.ts';

const NODE_MAJOR_MIN = 20;
/** Log stamps may be ahead of the clock by 60 s before partitions halt (CLOCK_BEHIND_LOG). */
const SKEW_MS_MAX = 5_000;
const MIB = 1024 ** 2;
/** Below it a full disk is a matter of minutes. */
const DISK_BYTES_MIN = 512 * MIB;

interface DoctorOptions {
  readonly config?: string;
  readonly dataDir?: string;
  readonly json?: boolean;
}

type Grade = 'ok' | 'warning' | 'failed';

export interface Finding {
  readonly check: string;
  readonly grade: Grade;
  readonly found: string;
  readonly remedy?: string;
}

interface Patient {
  readonly folder: string;
  readonly config: Config | null;
}

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('check what this machine has and lacks; changes nothing')
    .option('--config <file>', 'configuration to judge by')
    .option('--data-dir <folder>', `data folder (default: ${DATA_FOLDER})`)
    .option('--json', 'JSON instead of text')
    .addHelpText('after', examples('millrace doctor', 'millrace doctor --json'))
    .action(doctor);
}

async function doctor(options: DoctorOptions): Promise<void> {
  const folder = resolve(options.dataDir ?? environment.dataFolder ?? DATA_FOLDER);
  const findings: Finding[] = [node()];
  const { config, finding } = configuration(options, folder);
  findings.push(finding);
  const patient = { folder, config };
  findings.push(...kernels(patient), await natsServer(patient), disk(patient));
  findings.push(...(findRunState(folder) ? await running(patient) : await idle(patient)));
  if (options.json) printJson({ ok: findings.every((each) => each.grade !== 'failed'), findings });
  else for (const each of findings) for (const line of linesOf(each)) printLine(line);
  if (findings.some(({ grade }) => grade === 'failed')) process.exitCode = EXIT.checkFailed;
}

const MARKS = { ok: pc.green('ok     '), warning: pc.yellow('warning'), failed: pc.red('FAILED ') };

function linesOf({ check, grade, found, remedy }: Finding): string[] {
  return [`${MARKS[grade]} ${check}: ${found}`, ...(remedy ? [`        ${remedy}`] : [])];
}

/** Runs a check whose error is its finding. */
async function finding(
  check: string,
  look: () => Promise<string> | string,
  remedy?: string,
): Promise<Finding> {
  try {
    return { check, grade: 'ok', found: await look() };
  } catch (error) {
    const found = isOperatingError(error) ? `${error.code}: ${error.message}` : String(error);
    return { check, grade: 'failed', found, ...(remedy ? { remedy } : {}) };
  }
}

// --- the machine ---------------------------------------------------------------------------------
function node(): Finding {
  const { version, platform, arch } = process;
  const found = `${version} on ${platform} ${arch}`;
  if (Number(version.slice(1).split('.')[0]) >= NODE_MAJOR_MIN) {
    return { check: 'Node.js', grade: 'ok', found };
  }
  const remedy = `install Node.js ${NODE_MAJOR_MIN} or newer`;
  return { check: 'Node.js', grade: 'failed', found, remedy };
}

function configuration(options: DoctorOptions, folder: string) {
  const check = 'configuration';
  try {
    const { config, files, warnings } = loadSettings({ ...options, demo: false, folder });
    const found = files.length === 0 ? 'none: the defaults' : files.join(', ');
    const [remedy] = warnings;
    const grade = remedy ? ('warning' as const) : ('ok' as const);
    return { config, finding: { check, grade, found, ...(remedy ? { remedy } : {}) } };
  } catch (error) {
    const found = isOperatingError(error) ? error.message : String(error);
    return { config: null, finding: { check, grade: 'failed' as const, found } };
  }
}

function kernels({ config }: Patient): Finding[] {
  const chosen = config?.kernel.build ?? 'auto';
  return (['simd', 'scalar', 'debug'] as const).map((build) => {
    const check = `kernel ${build}`;
    try {
      loadKernel(build);
      return { check, grade: 'ok', found: 'built, speaks the ABI of this program' };
    } catch (error) {
      const needed = chosen === build || (chosen === 'auto' && build !== 'debug');
      const found = error instanceof Error ? error.message : String(error);
      return { check, grade: needed ? 'failed' : 'warning', found, remedy: 'npm run setup' };
    }
  });
}

function natsServer({ config }: Patient): Promise<Finding> {
  const check = 'nats-server';
  if (config && config.nats.url !== null) {
    return finding(check, () => `not needed: nats.url is ${config.nats.url}`);
  }
  return finding(check, async () => {
    const { path, version } = await findNatsServer({
      ...(environment.natsServer ? { explicitPath: environment.natsServer } : {}),
      searchPath: environment.searchPath,
      toolsFolder: join(projectFolder(), '.tools', 'nats-server'),
      mayFetch: false,
      say: () => {},
    });
    return `${version} at ${path}`;
  });
}

function disk({ folder, config }: Patient): Finding {
  let place = folder;
  while (!existsSync(place)) place = dirname(place);
  const { bavail, bsize } = statfsSync(place);
  const free = Math.floor((bavail * bsize) / MIB) * MIB;
  const found = `${formatSize(free)} free at ${place}`;
  const check = 'disk';
  try {
    accessSync(place, constants.W_OK);
  } catch {
    return { check, grade: 'failed', found: `${place} cannot be written to` };
  }
  if (free < DISK_BYTES_MIN) return { check, grade: 'failed', found, remedy: 'free some space' };
  const wanted = config?.log.maxBytes ?? 0;
  if (free >= wanted) return { check, grade: 'ok', found };
  const remedy = `the log alone may take ${formatSize(wanted)} (log.maxBytes)`;
  return { check, grade: 'warning', found, remedy };
}

// --- nothing runs: could it start? ---------------------------------------------------------------
async function idle({ folder, config }: Patient): Promise<Finding[]> {
  const state = existsSync(join(folder, MARKER_FILE)) ? 'nothing runs on it' : 'not made yet';
  const found = [{ check: 'data folder', grade: 'ok' as const, found: `${folder}: ${state}` }];
  if (config === null) return found;
  const { nats, clickhouse } = config;
  const ports = [
    ...(nats.url === null
      ? ([
          [['nats', 'port'], nats.port],
          [['nats', 'websocketPort'], nats.websocketPort],
          [['nats', 'monitorPort'], nats.monitorPort],
        ] as const)
      : []),
    ...(clickhouse.url === null ? ([[['clickhouse', 'port'], clickhouse.port]] as const) : []),
  ];
  return [...found, ...(await Promise.all(ports.map(([path, port]) => portFree(path, port))))];
}

async function portFree(path: readonly string[], port: number): Promise<Finding> {
  const check = `port ${port} (${pathText(path)})`;
  try {
    await choosePorts([{ setting: pathText(path), port }]);
    return { check, grade: 'ok', found: 'free' };
  } catch {
    const remedy = 'stop it, choose another port, or start with --ports auto';
    const found = `taken by ${findPortOwner(port) ?? 'another process'}`;
    return { check, grade: 'failed', found, remedy };
  }
}

// --- an instance runs: does it answer? -----------------------------------------------------------
async function running({ folder }: Patient): Promise<Finding[]> {
  const state = findRunState(folder)!;
  const instance = { folder, state };
  const query = openQuery(instance);
  try {
    return [
      await finding('data folder', () => `${folder}: process ${state.pid} runs on it`),
      await finding('NATS', async () => {
        const session = await openSession({ dataDir: folder });
        const milliseconds = await session.link.nc.rtt().finally(() => session.close());
        return `answers at ${state.nats.url} in ${Math.ceil(milliseconds)} ms`;
      }),
      await finding('ClickHouse', async () => {
        const [row] = await query.rows<{ version: string }>('SELECT version() AS version');
        return `${row?.version} answers at ${state.clickhouse.url}`;
      }),
      await clock(query),
    ];
  } finally {
    await query.close();
  }
}

async function clock(query: ReturnType<typeof openQuery>): Promise<Finding> {
  const check = 'clock';
  try {
    const beforeMs = systemClock.nowMs();
    const sql = 'SELECT toUnixTimestamp64Milli(now64(3)) AS nowMs';
    const [row] = await query.rows<{ nowMs: string }>(sql);
    const skewMs = Math.max(0, Math.abs(Number(row?.nowMs) - beforeMs));
    const found = `${skewMs} ms apart from ClickHouse's`;
    if (skewMs <= SKEW_MS_MAX) return { check, grade: 'ok', found };
    return { check, grade: 'warning', found, remedy: 'let both machines keep time (NTP)' };
  } catch {
    return { check, grade: 'warning', found: 'not compared: ClickHouse did not answer' };
  }
}
