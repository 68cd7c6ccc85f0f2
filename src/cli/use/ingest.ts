/**
 * `millrace ingest`: rows of CSV and NDJSON files into the log of the running instance,
 * acknowledged, resumable, exactly once. A channel that nobody declared is declared from the
 * options and the file.
 */
import { existsSync } from 'node:fs';
import { Command, Option } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createIngest } from '../../ingest/index.ts';
import { createLogAppender, createLogReader } from '../../log/index.ts';
import { OperatingError } from '../../model/error.ts';
import type { TimeFormat } from '../../model/plan.ts';
import { declareChannel } from '../../registry/index.ts';
import { catchInterrupt } from '../interrupt.ts';
import {
  examples,
  forInstance,
  type InstanceOptions,
  namedValues,
  positiveNumber,
} from '../option.ts';
import { findPlan, type Session } from '../session.ts';
import { type ChannelWishes, composeDeclaration, type Sample } from './declaration.ts';
import {
  cursorFolder,
  deviceName,
  type FeedOptions,
  type FeedResult,
  feedFile,
} from './file-feed.ts';
import { checkKnownChannel } from './known-channel.ts';
import { reportIngest } from './outcome.ts';
import { createProgress } from './progress.ts';
import { readHeader, readRows, unusable } from './row-file.ts';
import { openSupply, type Supply } from './supply.ts';

/** Rows that a declaration is composed from. */
const SAMPLE_ROWS = 50;
/** Boots that a device's memory keeps: rows of more files of one device may not be recognised. */
const FILES_PER_DEVICE_MAX = 4;

export interface IngestOptions extends InstanceOptions {
  readonly channel: string;
  readonly device?: string;
  readonly deviceColumn?: string;
  readonly tenant: string;
  readonly site: string;
  readonly column?: ReadonlyMap<string, string>;
  readonly id?: string;
  readonly historical?: boolean;
  readonly metric?: ReadonlyMap<string, string>;
  readonly unit?: ReadonlyMap<string, string>;
  readonly time?: string;
  readonly timeFormat?: TimeFormat;
  readonly rate?: number;
  readonly restart?: boolean;
  readonly wait: boolean;
}

const EXAMPLES = `${examples(
  'millrace ingest --channel climate readings.ndjson --device-column sensor',
  'millrace ingest --channel temperature --historical --metric temperature=value \\',
  "      --unit 'temperature=[degF]>Cel' machine_temperature.csv",
  'millrace ingest --channel speed a.csv b.csv --rate 500',
)}

Every row is an event with a key of its own (file name and row number, or --id): a run that was cut
off goes on where it stood, and a row that is sent twice is stored once. A channel that is not
declared yet is declared from the options and the file. Exit code 4: rows were refused.`;

export function ingestCommand(): Command {
  const command = new Command('ingest')
    .description('send the rows of CSV or NDJSON files as device messages')
    .argument('<files...>', 'files ending in .csv, .ndjson or .jsonl')
    .requiredOption('--channel <name>', 'channel of the messages')
    .option('--device <name>', "device that sends (default: the file's name)")
    .option('--device-column <column>', 'column that names the device of each row')
    .option('--tenant <name>', 'tenant of the devices', 'default')
    .option('--site <name>', 'site of the devices', 'default')
    .option('--column <member=column>', 'send a CSV column under another name', namedValues)
    .option('--id <column>', 'column with the event id (default: file name and row number)')
    .option('--historical', 'old data: age is not judged and nothing expires')
    .option('--metric <name=member>', 'new channel: where a metric is (repeatable)', namedValues)
    .option('--unit <name=unit>', 'new channel: UCUM unit RAW, or RAW>STORED', namedValues)
    .option('--time <member>', 'new channel: where the time stamp is')
    .addOption(
      new Option('--time-format <format>', 'new channel: how it is written').choices([
        'iso8601',
        's',
        'ms',
        'us',
        'ns',
      ]),
    )
    .option('--rate <n>', 'at most so many rows per second', positiveNumber)
    .option('--restart', 'send every row again; those already there are duplicates')
    .option('--no-wait', 'do not wait until the rows can be queried')
    .addHelpText('after', EXAMPLES);
  return forInstance(command).action(ingest);
}

async function ingest(files: readonly string[], options: IngestOptions): Promise<void> {
  checkOptions(files, options);
  const interruption = catchInterrupt();
  const supply = await openSupply(options, interruption.signal);
  const { session } = supply;
  try {
    const header = await headerOf(files, options);
    const declared = await ensureChannel(session, files[0]!, options, header);
    const before = await session.query.ledgerSummary().catch(() => null);
    const results = await feedAll(files, options, supply);
    await reportIngest({ session, options, declared, before, results, supply });
    supply.check();
  } finally {
    interruption.release();
    await supply.close();
  }
}

function checkOptions(files: readonly string[], options: IngestOptions): void {
  if (options.device !== undefined && options.deviceColumn !== undefined) {
    throw invalid('--device and --device-column exclude each other');
  }
  for (const file of files) {
    if (!existsSync(file)) throw unusable(file, 'there is no such file');
    if (/\.(csv|ndjson|jsonl)$/i.test(file)) continue;
    throw unusable(file, 'expected a name ending in .csv, .ndjson or .jsonl');
  }
  if (options.device === undefined || files.length <= FILES_PER_DEVICE_MAX || options.id) return;
  process.stderr.write(
    `warning: ${files.length} files of one device: only the newest ${FILES_PER_DEVICE_MAX} are ` +
      'remembered when rows come again\n',
  );
}

/** Columns of the first file; the columns that options name must be among them. */
async function headerOf(files: readonly string[], options: IngestOptions): Promise<string[]> {
  const [first] = files;
  const header = await readHeader(first!);
  const isCsv = /\.csv$/i.test(first!);
  if (options.column && !isCsv) throw invalid('--column is for CSV: NDJSON lines are sent as is');
  const named = [options.id, options.deviceColumn, ...(options.column?.values() ?? [])];
  for (const column of named) {
    if (column === undefined || header.includes(column) || !isCsv) continue;
    throw unusable(first!, `it has no column "${column}"; it has: ${header.join(', ')}`);
  }
  return header;
}

/** Every column under its own name, but for those that --column gives another. */
function columnsOf(header: readonly string[], { column }: IngestOptions) {
  if (!column) return null;
  const renamed = new Set(column.values());
  const others = header.filter((name) => !renamed.has(name) && !column.has(name));
  return new Map([...others.map((name) => [name, name] as const), ...column]);
}

/** What was declared, line by line; null when the channel was there. */
async function ensureChannel(
  session: Session,
  file: string,
  options: IngestOptions,
  header: readonly string[],
): Promise<readonly string[] | null> {
  const wishes: ChannelWishes = {
    channel: options.channel,
    historical: options.historical === true,
    metrics: options.metric,
    units: options.unit,
    time: options.time,
    timeFormat: options.timeFormat,
    apart: [options.id, options.deviceColumn].filter((name) => name !== undefined),
  };
  const plan = await findPlan(session);
  const known = plan?.channels.find(({ name, retired }) => name === wishes.channel && !retired);
  if (known) {
    checkKnownChannel(known, wishes, session.state.configFile);
    return null;
  }
  const sample: Record<string, unknown>[] = [];
  const columns = columnsOf(header, options);
  for await (const row of readRows({ file, columns, idColumn: null, deviceColumn: null })) {
    sample.push(parseRow(row.payload));
    if (sample.length === SAMPLE_ROWS) break;
  }
  if (sample.length === 0) throw unusable(file, 'it has no rows');
  const { yaml, lines } = composeDeclaration(wishes, sample as Sample, plan);
  await declareChannel(session.link.nc, { name: wishes.channel, yaml });
  return lines;
}

function parseRow(payload: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {}; // sent as it is: the kernel makes it a dead letter
  }
}

async function feedAll(
  files: readonly string[],
  options: IngestOptions,
  supply: Supply,
): Promise<FeedResult[]> {
  const { session, ending, cut } = supply;
  const { log, partitions } = session.state;
  const appender = createLogAppender({ link: session.link, logId: log });
  const reader = createLogReader({ link: session.link, logId: log });
  const ingest = createIngest({ appender, log: reader, partitions, clock: systemClock });
  const results: FeedResult[] = [];
  for (const file of files) {
    if (ending.aborted) break;
    const progress = await createProgress(file, options.json === true);
    const header = await readHeader(file);
    const feed: FeedOptions = {
      file,
      log,
      channel: options.channel,
      tenant: options.tenant,
      site: options.site,
      device: options.deviceColumn === undefined ? (options.device ?? deviceName(file)) : null,
      deviceColumn: options.deviceColumn ?? null,
      idColumn: options.id ?? null,
      columns: columnsOf(header, options),
      rowsPerSecond: options.rate ?? null,
      restart: options.restart === true,
      folder: cursorFolder(session.folder),
    };
    const onTrouble = ({ code, message }: OperatingError) =>
      process.stderr.write(`${code}: ${message} (waiting, nothing is lost)\n`);
    try {
      results.push(
        await feedFile(feed, {
          ingest,
          clock: systemClock,
          ending,
          cut,
          onTrouble,
          onProgress: (rows) => progress.show(rows),
        }),
      );
    } finally {
      progress.stop();
    }
  }
  return results;
}

function invalid(message: string): OperatingError {
  return new OperatingError('INPUT_INVALID', message);
}
