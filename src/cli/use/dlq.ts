/**
 * `millrace dlq`: the dead letters. `ls` lists what was rejected and why; `show` reads the raw
 * bytes of one record from the log, by its position, for as long as the log has them, else the
 * sample.
 */
import Table from 'cli-table3';
import { Command } from 'commander';
import { systemClock } from '../../base/clock.ts';
import { createLogReader } from '../../log/index.ts';
import { OperatingError } from '../../model/error.ts';
import type { DeviceRecord, Identity, LogPosition } from '../../model/record.ts';
import type { DeadLetterRow } from '../../query/index.ts';
import { decodeRecordBatch } from '../../wire/record-batch.ts';
import { parseTelemetrySubject } from '../../wire/subject.ts';
import { EXIT } from '../exit.ts';
import {
  bigNumber,
  durationMs,
  examples,
  forInstance,
  type InstanceOptions,
  positiveNumber,
  wholeNumber,
} from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { getInstance } from '../run-file.ts';
import { openQuery, openSession, type Session } from '../session.ts';

const LIST_DEFAULT = 20;
const NANOSECONDS_PER_MS = 1_000_000n;

export function dlqCommand(): Command {
  const dlq = new Command('dlq').description('dead letters: what was rejected, why, and its bytes');
  dlq
    .addCommand(listCommand().exitOverride())
    .addCommand(showCommand().exitOverride())
    .addHelpText('after', examples('millrace dlq ls --since 1h', 'millrace dlq show 3 1042 7'));
  return dlq;
}

// --- ls ------------------------------------------------------------------------------------------
interface ListOptions extends InstanceOptions {
  readonly reason?: string;
  readonly device?: string;
  readonly channel?: string;
  readonly since?: number;
  readonly limit: number;
}

function listCommand(): Command {
  const command = new Command('ls')
    .description('list dead letters, newest first')
    .option('--reason <status>', 'only this reason, e.g. OUT_OF_RANGE')
    .option('--device <name>', 'only this device')
    .option('--channel <name>', 'only this channel')
    .option('--since <duration>', 'only those of the last 30m, 1h, 7d …', durationMs)
    .option('--limit <n>', 'at most so many', positiveNumber, LIST_DEFAULT)
    .addHelpText(
      'after',
      examples(
        'millrace dlq ls',
        'millrace dlq ls --reason OUT_OF_RANGE --since 1h',
        'millrace dlq ls --device truck_7 --json',
      ),
    );
  return forInstance(command).action(list);
}

async function list(options: ListOptions): Promise<void> {
  const query = openQuery(getInstance(options.dataDir));
  const { reason, device, channel, since, limit } = options;
  try {
    const letters = await query.deadLetters({
      ...(reason === undefined ? {} : { reason: reason.toUpperCase() }),
      ...(device === undefined ? {} : { device }),
      ...(channel === undefined ? {} : { channel }),
      limit,
    });
    const fromMs = since === undefined ? 0 : systemClock.nowMs() - since;
    // Newest first, so that the limit cuts before the age does.
    const recent = letters.filter(({ logTimeMs }) => logTimeMs >= fromMs);
    if (options.json) for (const letter of recent) printJson(letterJson(letter));
    else showList(recent, limit);
  } finally {
    await query.close();
  }
}

function showList(letters: readonly DeadLetterRow[], limit: number): void {
  if (letters.length === 0) {
    printLine('no dead letters');
    return;
  }
  const table = new Table({
    head: ['time', 'reason', 'device', 'channel', 'metric', 'position', 'bytes', 'sample'],
    style: { compact: true, head: [], border: [] },
  });
  for (const letter of letters) {
    table.push([
      new Date(letter.logTimeMs).toISOString(),
      letter.reason,
      `${letter.tenant}/${letter.site}/${letter.device}`,
      letter.channel,
      letter.metric,
      `${letter.partition} ${letter.sequence} ${letter.index}`,
      letter.payloadBytes,
      readable(letter.sample).slice(0, 40),
    ]);
  }
  printLine(table.toString());
  if (letters.length === limit) printLine(`the newest ${limit}; --limit shows more`);
  printLine('raw bytes: millrace dlq show PARTITION SEQUENCE INDEX --raw');
}

function letterJson(letter: DeadLetterRow) {
  return { ...letter, sample: Buffer.from(letter.sample).toString('base64') };
}

// --- show ----------------------------------------------------------------------------------------
interface ShowOptions extends InstanceOptions {
  readonly raw?: boolean;
}

function showCommand(): Command {
  const command = new Command('show')
    .description('one dead letter and its bytes, read from the log by position')
    .argument('<partition>', 'partition of the log', wholeNumber)
    .argument('<sequence>', 'sequence in its stream', bigNumber)
    .argument('[index]', 'place of the record in its batch', wholeNumber, 0)
    .option('--raw', 'exactly the bytes that were sent, nothing else')
    .addHelpText(
      'after',
      examples('millrace dlq show 3 1042 7', 'millrace dlq show 3 1042 7 --raw > payload.bin'),
    );
  return forInstance(command).action((partition, sequence, index, options) =>
    show({ partition, sequence, index }, options),
  );
}

/** The record as it lies in the log. */
export interface Found {
  readonly identity: Identity | null;
  readonly channel: string;
  readonly receivedAtMs: number;
  readonly key: DeviceRecord['key'] | null;
  readonly payload: Uint8Array;
}

async function show(position: LogPosition, options: ShowOptions): Promise<void> {
  const session = await openSession(options);
  const { partition, sequence, index } = position;
  try {
    checkPartition(session, partition);
    const found = await findRecord(session, position);
    if (options.raw) return writeRaw(position, found);
    const letters = await session.query.findDeadLetters(partition, sequence, index);
    if (!found && letters.length === 0) throw nothingThere(position);
    if (options.json) printJson(showJson(position, found, letters));
    else showText(position, found, letters);
  } finally {
    await session.close();
  }
}

function checkPartition({ state }: Session, partition: number): void {
  if (partition < state.partitions) return;
  throw new OperatingError(
    'INPUT_INVALID',
    `partition ${partition}: log ${state.log} has partitions 0 to ${state.partitions - 1}`,
  );
}

async function findRecord(session: Session, position: LogPosition): Promise<Found | null> {
  const reader = createLogReader({ link: session.link, logId: session.state.log });
  const message = await reader.message(position.partition, position.sequence);
  return message === null ? null : recordOf(message, position.index);
}

/** A record of a batch; anything else (a native publish, an unreadable batch) as a whole. */
export function recordOf(
  message: { subject: string; payload: Uint8Array; logTimeNs: bigint },
  index: number,
): Found | null {
  const native = parseTelemetrySubject(message.subject);
  const whole = {
    identity: native?.identity ?? null,
    channel: native?.channel ?? '',
    receivedAtMs: Number(message.logTimeNs / NANOSECONDS_PER_MS),
    key: null,
    payload: message.payload,
  };
  if (!message.subject.endsWith('.batch')) return index === 0 ? whole : null;
  try {
    const record = decodeRecordBatch(message.payload)[index];
    return record ? { ...record, key: record.key ?? null } : null;
  } catch {
    return whole;
  }
}

function writeRaw(position: LogPosition, found: Found | null): Promise<void> {
  if (!found) throw nothingThere(position);
  return new Promise((resolve, reject) => {
    process.stdout.write(found.payload, (error) => (error ? reject(error) : resolve()));
  });
}

function nothingThere({ partition, sequence, index }: LogPosition): OperatingError {
  process.exitCode = EXIT.checkFailed;
  return new OperatingError(
    'INPUT_INVALID',
    `the log has no record at partition ${partition}, sequence ${sequence}, index ${index} (or ` +
      'no longer)',
    { where: { partition, sequence, index } },
  );
}

function showJson(position: LogPosition, found: Found | null, letters: readonly DeadLetterRow[]) {
  return {
    ...position,
    inLog: found !== null,
    record: found && { ...found, payload: Buffer.from(found.payload).toString('base64') },
    letters: letters.map(letterJson),
  };
}

function showText(
  { partition, sequence, index }: LogPosition,
  found: Found | null,
  letters: readonly DeadLetterRow[],
): void {
  printLine(`partition ${partition} · sequence ${sequence} · index ${index}`);
  for (const letter of letters) {
    const metric = letter.metric ? ` · metric ${letter.metric}` : '';
    const { reason, offset, payloadBytes } = letter;
    printLine(`${reason}${metric} · at byte ${offset} of ${payloadBytes}`);
  }
  if (letters.length === 0) printLine('no dead letter is kept for it (it may have been accepted)');
  const sample = letters[0]?.sample ?? new Uint8Array(0);
  if (!found) printLine(`the log no longer has it; its first ${sample.length} bytes:`);
  else {
    const { identity, channel, receivedAtMs } = found;
    const device = identity ? `${identity.tenant}/${identity.site}/${identity.device}` : '–';
    printLine(`${device} · ${channel} · received ${new Date(receivedAtMs).toISOString()}`);
  }
  for (const line of dump(found?.payload ?? sample)) printLine(line);
}

/** Text when it is text, else the printable characters. */
function readable(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^\x20-\x7e]/g, '.');
}

const DUMP_WIDTH = 16;

/** Text as it is; else offset, hexadecimal and characters. */
export function dump(bytes: Uint8Array): string[] {
  const text = Buffer.from(bytes).toString('utf8');
  if (/^[^\x00-\x08\x0b-\x1f\x7f\ufffd]*$/.test(text)) return [text];
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += DUMP_WIDTH) {
    const row = bytes.subarray(at, at + DUMP_WIDTH);
    const hex = Buffer.from(row)
      .toString('hex')
      .replace(/../g, '$& ')
      .padEnd(DUMP_WIDTH * 3);
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex} ${readable(row)}`);
  }
  return lines;
}
