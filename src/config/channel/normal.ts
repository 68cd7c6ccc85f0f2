/**
 * One channel from its checked YAML shape to the Config that rooms read: defaults that depend on
 * the format and on other options. In: its name, a sound raw channel, the text of its schema file.
 * Out: a ChannelConfig. Never fails.
 */
import { assert } from '../../base/assert.ts';
import type {
  AlertConfig,
  ChannelConfig,
  ChannelMetricConfig,
  RuleConfig,
} from '../../model/config.ts';
import type { PayloadFormat } from '../../model/plan.ts';
import { ms } from '../amount.ts';
import { RULE_PATTERN } from '../schema/condition.ts';
import type { RawChannel } from '../schema/schema.ts';
import type { SchemaText } from './schema-file.ts';
import { readWindows } from './window.ts';

/** Longer than a device that is on line is silent. */
const LIVE_IDLE = '30s';
/** A file that has ended sends nothing more: its last windows close soon. */
const HISTORICAL_IDLE = '2s';
/** Longer than age.max, so that no accepted event's row has already expired. */
export const READINGS_RETENTION = '14d';

/** Formats whose values, time and event id lie where paths lead. */
export const hasPaths = (format: PayloadFormat): boolean =>
  format === 'json' || format === 'avro' || format === 'protobuf-message';

/** Formats whose metrics have names of their own in the payload, taken whole. */
const hasNames = (format: PayloadFormat) => !hasPaths(format) && format !== 'protobuf';

export function toChannel(name: string, raw: RawChannel, schema: SchemaText | null): ChannelConfig {
  const format = formatOf(raw);
  const paths = hasPaths(format);
  const timePath = paths ? toPath(raw.time.path) : [];
  return {
    name,
    format,
    framing: raw.framing,
    schemaIds: [...raw.schema.ids],
    schema: schema === null ? null : { ...schema, message: raw.schema.message ?? null },
    samplesPath: paths ? toPath(raw.samples.path) : [],
    storeSamples: raw.samples.store,
    time: { path: timePath, format: raw.time.format, of: raw.time.of, required: raw.time.required },
    eventIdPath: paths ? toPath(raw.eventId.path) : [],
    contentDedup: raw.dedup.content ?? (paths ? timePath.length > 0 : format !== 'protobuf'),
    metrics: Object.entries(raw.metrics).map(
      ([metric, options]): ChannelMetricConfig => ({
        name: metric,
        path: metricPath(format, options.path ?? [metric]),
        unit: options.unit ?? null,
        required: options.required,
      }),
    ),
    ...policiesOf(raw, format),
    rules: Object.entries(raw.rules).map(([rule, text]) => toRule(rule, text)),
    alerts: Object.entries(raw.alerts).map(([rule, alert]) => toAlert(rule, alert)),
    windows: readWindows(raw).windows,
    outOfOrderMs: ms(raw.outOfOrder),
    latenessMs: ms(raw.lateness),
    idleMs: ms(raw.idle ?? (raw.historical ? HISTORICAL_IDLE : LIVE_IDLE)),
    retentionMs: ms(raw.retention['readings'] ?? (raw.historical ? 'forever' : READINGS_RETENTION)),
  };
}

function policiesOf(raw: RawChannel, format: PayloadFormat) {
  return {
    age: {
      maxMs: ms(raw.age.max),
      policy: raw.age.policy ?? (raw.historical ? 'accept' : 'reject'),
    },
    clock: { maxSkewMs: ms(raw.clock.maxSkew), policy: raw.clock.policy },
    suspectPolicy: raw.suspect,
    score: raw.score,
    timelyMs: ms(raw.timely),
    unknownMetrics: raw.unknownMetrics ?? (format === 'protobuf' ? 'reject' : 'ignore'),
  } as const;
}

/** A schema makes protobuf another format: canonical payloads need none. */
export function formatOf(raw: RawChannel): PayloadFormat {
  const described = raw.schema.file !== undefined || raw.schema.message !== undefined;
  return raw.format === 'protobuf' && described ? 'protobuf-message' : raw.format;
}

/** Sparkplug's and SenML's names contain dots and slashes: a text is the name as it stands. */
function metricPath(format: PayloadFormat, path: string | readonly string[]): readonly string[] {
  if (hasNames(format)) return typeof path === 'string' ? [path] : [...path];
  return hasPaths(format) ? toPath(path) : [];
}

export function toPath(path: string | readonly string[] | undefined): readonly string[] {
  if (path === undefined) return [];
  return typeof path === 'string' ? path.split('.') : [...path];
}

/** What is greater is written the other way round, so that the kernel knows four operators. */
function toRule(name: string, text: string): RuleConfig {
  const [, left, operator, right] = new RegExp(RULE_PATTERN).exec(text) ?? [];
  assert(operator !== undefined, `the schema has let '${text}' pass as a rule`);
  if (operator === '>') return { name, left: right, operator: '<', right: left };
  if (operator === '>=') return { name, left: right, operator: '<=', right: left };
  return { name, left, operator: operator as RuleConfig['operator'], right };
}

function toAlert(name: string, raw: RawChannel['alerts'][string]): AlertConfig {
  const { metric = '', above, below, outside, hysteresis, severity } = raw;
  const condition = outside !== undefined ? 'outside' : above !== null ? 'above' : 'below';
  const [low, high] = outside ?? [condition === 'below' ? (below ?? 0) : 0, above ?? 0];
  return { name, metric, severity, condition, low, high, hysteresis, dwellMs: ms(raw.dwell) };
}
