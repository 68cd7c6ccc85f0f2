/**
 * What a person decided, checked and in plain units: milliseconds, bytes, canonical names. The
 * config room makes it from YAML and the environment; every other room only reads it. Frozen all
 * the way down. 0 as a retention means for ever.
 */
import { inspect } from 'node:util';
import type {
  ClockPolicy,
  Framing,
  PayloadFormat,
  PlanRule,
  PlanWindow,
  Policy,
  ScoreKind,
  Severity,
  TimeFormat,
  ValueKind,
} from './plan.ts';

export interface MetricConfig {
  readonly name: string;
  /** UCUM code of what is stored. */
  readonly unit: string;
  readonly kind: ValueKind;
  readonly min: number | null;
  readonly max: number | null;
  /** Text: the only values allowed; null: any. */
  readonly values: readonly string[] | null;
  /** Greatest change per second; null: not judged. */
  readonly maxRatePerSecond: number | null;
  /** The same value for longer than this is stuck; null: not judged. */
  readonly stuckMs: number | null;
}

export interface ChannelMetricConfig {
  readonly name: string;
  /**
   * Names from the sample's root; Sparkplug: [metric] or [device, metric]; SenML: [name]. Empty for
   * canonical Protobuf.
   */
  readonly path: readonly string[];
  /** UCUM code of what the device sends; null: the canonical unit. */
  readonly unit: string | null;
  readonly required: boolean;
}

/** As in the plan: a name that is a table's suffix, its kind and its sizes. */
export type WindowConfig = PlanWindow;

/** A file that says how payloads are written. */
export interface SchemaConfig {
  /** As it was found: relative to the working directory, or absolute. */
  readonly file: string;
  readonly text: string;
  /** Protobuf: name of the message; null for other formats. */
  readonly message: string | null;
}

/** Of two metrics of the channel, by name. */
export interface RuleConfig {
  readonly name: string;
  readonly left: string;
  readonly operator: PlanRule['operator'];
  readonly right: string;
}

export interface AlertConfig {
  readonly name: string;
  readonly metric: string;
  readonly severity: Severity;
  readonly condition: 'above' | 'below' | 'outside';
  /** Unused bounds are 0. */
  readonly low: number;
  readonly high: number;
  readonly hysteresis: number;
  readonly dwellMs: number;
}

export interface ChannelConfig {
  readonly name: string;
  readonly format: PayloadFormat;
  readonly framing: Framing;
  readonly schemaIds: readonly number[];
  readonly schema: SchemaConfig | null;
  /** Empty: the payload is one sample. */
  readonly samplesPath: readonly string[];
  readonly storeSamples: boolean;
  /** Empty path: event time is the received time, or what the format itself says. */
  readonly time: {
    readonly path: readonly string[];
    readonly format: TimeFormat;
    readonly of: 'sample' | 'record';
    readonly required: boolean;
  };
  readonly eventIdPath: readonly string[];
  /** Records without any id are known again by their content. */
  readonly contentDedup: boolean;
  readonly metrics: readonly ChannelMetricConfig[];
  readonly age: { readonly maxMs: number; readonly policy: Policy };
  readonly clock: { readonly maxSkewMs: number; readonly policy: ClockPolicy };
  readonly suspectPolicy: Policy;
  readonly rules: readonly RuleConfig[];
  readonly alerts: readonly AlertConfig[];
  readonly score: ScoreKind;
  readonly timelyMs: number;
  readonly unknownMetrics: 'reject' | 'ignore';
  /** Tumbling, hopping, session, count; of each the shortest first. */
  readonly windows: readonly WindowConfig[];
  readonly outOfOrderMs: number;
  readonly latenessMs: number;
  readonly idleMs: number;
  readonly retentionMs: number;
}

export interface Config {
  readonly version: 1;
  readonly log: {
    readonly id: string;
    readonly partitions: number;
    /** Of all partitions together. */
    readonly maxBytes: number;
    readonly retentionMs: number;
  };
  readonly nats: {
    /** Null: the embedded server. */
    readonly url: string | null;
    readonly user: string | null;
    readonly password: string | null;
    readonly replicas: number;
    readonly port: number;
    readonly websocketPort: number;
    readonly monitorPort: number;
    readonly sync: 'default' | 'always';
  };
  readonly clickhouse: {
    /** Null: the embedded engine. */
    readonly url: string | null;
    readonly port: number;
    readonly database: string;
    readonly user: string;
    readonly password: string;
    readonly readonlyUser: string;
    readonly readonlyPassword: string;
    readonly memoryBytes: number;
    /** Null: a single server. */
    readonly cluster: string | null;
    /** Of the insert spool; 0: there is none. */
    readonly spoolBytesMax: number;
  };
  readonly kernel: {
    /** 0: the kernel runs in the main thread. */
    readonly workers: number;
    /** Per partition. */
    readonly memoryBytes: number;
    readonly build: 'auto' | 'simd' | 'scalar' | 'debug';
  };
  readonly cluster: { readonly standbys: number };
  readonly checkpoint: { readonly intervalMs: number; readonly store: 'stream' | 'folder' };
  readonly ingest: { readonly lingerMs: number };
  readonly devices: {
    readonly policy: 'register' | 'strict';
    /** 'tenant/site/device', used when strict. */
    readonly allow: readonly string[];
    /** Per partition. */
    readonly max: number;
    readonly idsPerDevice: number;
  };
  readonly dedup: {
    readonly horizonMs: number;
    /** Digests of contents remembered per device. */
    readonly contentsPerDevice: number;
  };
  /** Per partition. */
  readonly texts: { readonly max: number };
  readonly quality: { readonly enabled: boolean; readonly retentionMs: number };
  readonly alerts: { readonly retentionMs: number };
  readonly deadLetters: { readonly perDeviceMinute: number; readonly retentionMs: number };
  readonly shadows: { readonly intervalMs: number; readonly publish: boolean };
  readonly facts: { readonly format: 'json' | 'protobuf' };
  readonly metrics: readonly MetricConfig[];
  readonly channels: readonly ChannelConfig[];
}

// --- problems
// -------------------------------------------------------------------------------------
export type ConfigPath = readonly (string | number)[];

/** Something wrong with an option. What a person reads is made from it by `describeProblem`. */
export interface ConfigProblem {
  readonly path: ConfigPath;
  /** 'must be at most 256': reads on after the option's name. */
  readonly what: string;
  readonly given?: unknown;
  readonly allowed?: string;
  /** The nearest valid spelling. */
  readonly near?: string;
  /** The name itself is wrong: the place is that of the key, not of the value. */
  readonly key?: true;
  /** Other options the problem depends on; it is moot while one of those is itself wrong. */
  readonly with?: readonly ConfigPath[];
}

/** A problem with its place. Line and column count from 1; 0 where there is no file. */
export interface LocatedProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
  /** file:line:column: path: message. */
  readonly text: string;
}

export type LocateProblem = (problem: ConfigProblem) => LocatedProblem;

const GIVEN_LENGTH_MAX = 60;

/**
 * 'must be at most 256, given 300; allowed: 1 … 256 (did you mean `x`?)'. Passwords are not shown.
 */
export function describeProblem(problem: ConfigProblem): string {
  const secret = /password/i.test(String(problem.path.at(-1)));
  const given = 'given' in problem ? `, given ${secret ? '…' : shorten(problem.given)}` : '';
  const allowed = problem.allowed === undefined ? '' : `; allowed: ${problem.allowed}`;
  const near = problem.near === undefined ? '' : ` (did you mean \`${problem.near}\`?)`;
  return `${problem.what}${given}${allowed}${near}`;
}

function shorten(value: unknown): string {
  const text =
    typeof value === 'object'
      ? inspect(value, { depth: 1, breakLength: Infinity, compact: true })
      : quoted(value);
  return text.length > GIVEN_LENGTH_MAX ? `${text.slice(0, GIVEN_LENGTH_MAX)}…` : text;
}

const quoted = (value: unknown) =>
  typeof value === 'string' ? JSON.stringify(value) : String(value);

export const pathText = (path: ConfigPath): string => path.join('.');

/** Where no file is known: only the option's path. */
export const withoutPlace: LocateProblem = (problem) => {
  const path = pathText(problem.path);
  const message = describeProblem(problem);
  return { file: '', line: 0, column: 0, path, message, text: `${path}: ${message}` };
};
