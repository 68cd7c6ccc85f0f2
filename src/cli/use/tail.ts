/**
 * `millrace tail`: what flows by on NATS from now on, decoded. Facts and dead letters on their own
 * subjects; `log.>` shows the records as they enter the log. A subscription to `iot.…` sees
 * nothing: the server maps those subjects into the log before anybody else gets them.
 */
import { Command } from 'commander';
import { OperatingError } from '../../model/error.ts';
import type { DeviceRecord } from '../../model/record.ts';
import { decodeFact, encodeDeadLetter, encodeFact } from '../../wire/fact.ts';
import { decodeRecordBatch } from '../../wire/record-batch.ts';
import { parseTelemetrySubject } from '../../wire/subject.ts';
import { catchInterrupt } from '../interrupt.ts';
import { examples, forInstance, type InstanceOptions, positiveNumber } from '../option.ts';
import { printJson, printLine } from '../report.ts';
import { openSession } from '../session.ts';

const SUBJECT_DEFAULT = 'agg.>';

interface TailOptions extends InstanceOptions {
  readonly count?: number;
}

export function tailCommand(): Command {
  const command = new Command('tail')
    .description('show facts, dead letters or records as they are published, decoded')
    .argument('[subject]', 'NATS subject, * and > as wildcards', SUBJECT_DEFAULT)
    .option('--count <n>', 'end after so many', positiveNumber)
    .addHelpText(
      'after',
      `${examples(
        'millrace tail                        window facts: mean (count) per metric',
        "millrace tail 'agg.1m.demo.*.truck_7' --count 1 --json",
        "millrace tail 'alert.>'              alerts as they are raised and cleared",
        "millrace tail 'shadow.>'             reported state of devices",
        "millrace tail 'dlq.>'                dead letters",
        "millrace tail 'log.>'                records as they enter the log",
      )}

Telemetry that devices publish on iot.… is mapped into the log by the server: nobody sees it on
iot.…, use 'log.>' instead.`,
    );
  return forInstance(command).action(tail);
}

async function tail(subject: string, options: TailOptions): Promise<void> {
  if (/^iot(\.|$)/.test(subject)) throw mappedSubject(subject);
  const session = await openSession(options);
  const interruption = catchInterrupt();
  try {
    const max = options.count === undefined ? {} : { max: options.count };
    const subscription = session.link.nc.subscribe(subject, max);
    interruption.signal.addEventListener('abort', () => subscription.unsubscribe());
    if (!options.json) process.stderr.write(`listening on ${subject}; Ctrl-C ends\n`);
    for await (const message of subscription) {
      for (const body of decode(message.subject, message.data)) {
        if (options.json) printJson({ subject: message.subject, body });
        else printLine(lineOf(message.subject, body));
      }
    }
  } finally {
    interruption.release();
    await session.close();
  }
}

function mappedSubject(subject: string): OperatingError {
  return new OperatingError(
    'INPUT_INVALID',
    `${subject} shows nothing: the server maps what is published there into the log; tail ` +
      `'log.>' instead`,
  );
}

/** One body, or one per record of a batch; facts in Protobuf as their JSON. */
export function decode(subject: string, bytes: Uint8Array): unknown[] {
  if (!subject.startsWith('log.')) return [factOf(bytes)];
  const native = parseTelemetrySubject(subject);
  if (native) {
    return [{ ...native.identity, channel: native.channel, payload: textOf(bytes) }];
  }
  if (!subject.endsWith('.batch')) return [textOf(bytes)];
  try {
    return decodeRecordBatch(bytes).map(recordOf);
  } catch {
    return [textOf(bytes)];
  }
}

/** What is no fact (somebody else's subject) is shown as it is. */
function factOf(bytes: Uint8Array): unknown {
  try {
    const fact = decodeFact(bytes);
    const json = fact.kind === 'deadLetter' ? encodeDeadLetter(fact) : encodeFact(fact);
    return textOf(json);
  } catch {
    return textOf(bytes);
  }
}

function recordOf({ identity, channel, receivedAtMs, key, payload }: DeviceRecord) {
  const keyed =
    key === undefined
      ? {}
      : 'eventId' in key
        ? { eventId: key.eventId }
        : { bootId: `${key.bootId}`, sequence: `${key.sequence}` };
  return { ...identity, channel, receivedAtMs, ...keyed, payload: textOf(payload) };
}

/** Bytes that are no text stand as base64. */
function textOf(bytes: Uint8Array): unknown {
  const text = Buffer.from(bytes).toString('utf8');
  if (text.includes('\ufffd')) return { base64: Buffer.from(bytes).toString('base64') };
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

interface WindowBody {
  readonly kind: 'window';
  readonly channel: string;
  readonly windowStartMs: number;
  readonly revision: number;
  readonly deleted: boolean;
  readonly metrics: readonly { metric: string; unit: string; count: number; mean: number }[];
}

interface AlertBody {
  readonly kind: 'alert';
  readonly channel: string;
  readonly rule: string;
  readonly severity: string;
  readonly metric: string;
  readonly unit: string;
  readonly active: boolean;
  readonly raisedAtMs: number;
  readonly value: number;
  readonly peak: number;
  readonly clearedAtMs: number | null;
  readonly clearedValue: number | null;
}

/** A window or an alert in one line for people; everything else as it is. */
export function lineOf(subject: string, body: unknown): string {
  const { kind } = (typeof body === 'object' && body !== null ? body : {}) as { kind?: string };
  if (kind === 'window') return `${subject}  ${windowText(body as WindowBody)}`;
  if (kind === 'alert') return `${subject}  ${alertText(body as AlertBody)}`;
  return `${subject}  ${typeof body === 'string' ? body : JSON.stringify(body)}`;
}

function windowText({ channel, windowStartMs, revision, deleted, metrics }: WindowBody): string {
  const values = metrics.map(
    ({ metric, unit, count, mean }) => `${metric} ${rounded(mean)} ${unit} (${count})`,
  );
  const again = revision > 0 ? ` revision ${revision}` : '';
  const gone = deleted ? ' is no more: part of an earlier one' : '';
  return `${channel} ${secondOf(windowStartMs)}${again}${gone}  ${values.join(' · ')}`.trimEnd();
}

function alertText(alert: AlertBody): string {
  const { channel, rule, severity, metric, unit, active, value, peak } = alert;
  const at = secondOf(alert.raisedAtMs);
  const raised = `${channel} ${severity} ${rule}: ${metric} ${rounded(value)} ${unit} at ${at}`;
  if (active || alert.clearedAtMs === null) return `${raised} raised`;
  const last = alert.clearedValue === null ? '' : ` at ${rounded(alert.clearedValue)} ${unit}`;
  return `${raised}, cleared ${secondOf(alert.clearedAtMs)}${last}, peak ${rounded(peak)} ${unit}`;
}

const secondOf = (timeMs: number): string => new Date(timeMs).toISOString().slice(0, 19);
const rounded = (value: number): number => Number(Number(value).toPrecision(6));
