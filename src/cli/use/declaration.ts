/**
 * A channel for a file whose channel nobody has declared: composed from options, and from the
 * file's header and first rows for what they leave open. In: wishes and a sample of rows. Out: YAML
 * that the running instance checks like any other configuration, and what was guessed, in words.
 */
import { stringify } from 'yaml';
import { OperatingError } from '../../model/error.ts';
import type { Plan, TimeFormat } from '../../model/plan.ts';
import { RESERVED_METRIC_NAMES } from '../../model/table.ts';

export interface ChannelWishes {
  readonly channel: string;
  readonly historical: boolean;
  /** Metric → member of the payload. */
  readonly metrics: ReadonlyMap<string, string> | undefined;
  /** Metric → RAW or RAW>CANONICAL, UCUM codes. */
  readonly units: ReadonlyMap<string, string> | undefined;
  readonly time: string | undefined;
  readonly timeFormat: TimeFormat | undefined;
  /** Members that are no metrics: event id, device. */
  readonly apart: readonly string[];
}

/** Payloads of the first rows, parsed. */
export type Sample = readonly Readonly<Record<string, unknown>>[];

export interface Declaration {
  readonly yaml: string;
  /** What it says, for a person: one line each. */
  readonly lines: readonly string[];
}

const TIME_NAMES =
  /^(timestamp|time|ts|date|date_?time|event_?time|timestamp_?ms|time_?ms|at|when|t)$/i;
const COLUMN = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** UTC milliseconds of the year 2286 as seconds: digits tell seconds, milli, micro, nano apart. */
const SECONDS_MAX = 1e10;

export function composeDeclaration(
  wishes: ChannelWishes,
  sample: Sample,
  plan: Plan | null,
): Declaration {
  const time = timeOf(wishes, sample);
  const metrics = metricsOf(wishes, sample, time?.path ?? null);
  const known = new Map(
    (plan?.channels ?? []).flatMap((channel) => channel.metrics).map((each) => [each.name, each]),
  );
  const catalogue: Record<string, object> = {};
  const members: Record<string, object> = {};
  const lines: string[] = [];
  for (const { name, path, kind } of metrics) {
    const { raw, canonical } = unitsOf(wishes, name, known.get(name)?.unit);
    if (!known.has(name)) catalogue[name] = kind === 'boolean' ? { kind } : { unit: canonical };
    members[name] = {
      ...(path === name ? {} : { path: pathIn(sample, path) }),
      ...(raw === canonical ? {} : { unit: raw }),
    };
    const converted = raw === canonical ? canonical : `${raw} stored as ${canonical}`;
    lines.push(`metric ${name} from "${path}", ${kind === 'boolean' ? 'boolean' : converted}`);
  }
  if (time)
    lines.push(`event time from "${time.path}" (${time.format}, UTC when it names no zone)`);
  else lines.push('event time is the time of receipt: no column looks like a time stamp');
  if (wishes.historical) lines.push('historical: age is not judged, nothing expires');
  const channel = {
    format: 'json',
    ...(wishes.historical ? { historical: true } : {}),
    ...(time
      ? { time: { path: pathIn(sample, time.path), format: time.format, required: true } }
      : {}),
    metrics: members,
  };
  return {
    yaml: stringify({ metrics: catalogue, channels: { [wishes.channel]: channel } }),
    lines,
  };
}

/** Dots lead into objects, unless the rows have a member of just that name. */
function pathIn(sample: Sample, path: string): string | string[] {
  if (!path.includes('.')) return path;
  return sample.some((row) => path in row) ? [path] : path.split('.');
}

function timeOf(
  wishes: ChannelWishes,
  sample: Sample,
): { path: string; format: TimeFormat } | null {
  const names = Object.keys(sample[0] ?? {}).filter((name) => !wishes.apart.includes(name));
  const path = wishes.time ?? names.find((name) => TIME_NAMES.test(name));
  if (path === undefined) {
    if (!wishes.historical) return null;
    throw invalid(
      'no column looks like a time stamp, and --historical needs one: name it with --time COLUMN ' +
        `(columns: ${names.join(', ')})`,
    );
  }
  const values = sample.map((row) => valueAt(row, path)).filter((value) => value !== undefined);
  if (values.length === 0) throw invalid(`no row has "${path}" for the event time`);
  const format = wishes.timeFormat ?? timeFormatOf(values[0]);
  if (format) return { path, format };
  throw invalid(
    `"${path}" holds ${JSON.stringify(values[0])}, which is neither ISO 8601 nor a number: say ` +
      'how with --time-format',
  );
}

export function timeFormatOf(value: unknown): TimeFormat | null {
  if (typeof value === 'number' && value > 0) {
    const steps = ['s', 'ms', 'us', 'ns'] as const;
    return steps.find((_, index) => value < SECONDS_MAX * 1000 ** index) ?? null;
  }
  const isIso = typeof value === 'string' && /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}|$)/.test(value);
  return isIso ? 'iso8601' : null;
}

interface Metric {
  readonly name: string;
  readonly path: string;
  readonly kind: 'number' | 'boolean';
}

function metricsOf(wishes: ChannelWishes, sample: Sample, timePath: string | null): Metric[] {
  const kinds = new Map(
    Object.keys(Object.assign({}, ...sample)).map((name) => [name, kindOf(sample, name)]),
  );
  if (wishes.metrics) {
    return [...wishes.metrics].map(([name, path]) => ({
      name: checkName(name),
      path,
      kind: kinds.get(path) ?? 'number',
    }));
  }
  const found = [...kinds].flatMap(([path, kind]): Metric[] => {
    if (kind === null || path === timePath || wishes.apart.includes(path)) return [];
    return [{ name: metricName(path), path, kind }];
  });
  if (found.length > 0) return found;
  throw invalid('no column holds numbers: name the metrics with --metric NAME=COLUMN');
}

/** Of most values; the others become dead letters. Null when that is no kind of a metric. */
function kindOf(sample: Sample, name: string): 'number' | 'boolean' | null {
  const values = sample.map((row) => row[name]).filter((value) => value !== undefined);
  const isMost = (kind: string) =>
    2 * values.filter((value) => typeof value === kind).length > values.length;
  return (['number', 'boolean'] as const).find(isMost) ?? null;
}

/** 'Air temp.' → 'Air_temp'; a name that every table has already gets `_value`. */
export function metricName(column: string): string {
  const plain = column.replace(/[^A-Za-z0-9_]+/g, '_').replace(/^_+|_+$/g, '') || 'value';
  const name = (/^\d/.test(plain) ? `m_${plain}` : plain).slice(0, 56);
  return RESERVED_METRIC_NAMES.includes(name) ? `${name}_value` : name;
}

function checkName(name: string): string {
  if (COLUMN.test(name)) return name;
  throw invalid(
    `metric ${JSON.stringify(name)}: expected letters, digits and _, not beginning with a digit`,
  );
}

function unitsOf({ units }: ChannelWishes, name: string, known: string | undefined) {
  const text = units?.get(name);
  if (text === undefined) return { raw: known ?? '1', canonical: known ?? '1' };
  const at = text.lastIndexOf('>');
  const raw = at < 0 ? text : text.slice(0, at);
  const canonical = at < 0 ? (known ?? raw) : text.slice(at + 1);
  if (raw === '' || canonical === '') {
    throw invalid(`--unit ${name}=${text}: expected a UCUM code, or RAW>CANONICAL`);
  }
  if (known === undefined || known === canonical) return { raw, canonical };
  throw invalid(
    `--unit ${name}=${text}: metric ${name} is already stored in ${known}; convert to that, or ` +
      'choose another name',
  );
}

/** Of a path with dots, where no member has the whole as its name. */
function valueAt(row: Readonly<Record<string, unknown>>, path: string): unknown {
  if (path in row) return row[path];
  return path
    .split('.')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], row);
}

function invalid(message: string): OperatingError {
  return new OperatingError('INPUT_INVALID', message);
}
