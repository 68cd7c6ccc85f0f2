/**
 * What a person decided, checked and in plain units: milliseconds, bytes, canonical names. The
 * config room makes it from YAML and the environment; every other room only reads it. Frozen all
 * the way down. 0 as a retention means for ever.
 */
import { inspect } from 'node:util';
import type { Policy, TimeFormat, ValueKind } from './plan.ts';

export interface MetricConfig {
  readonly name: string;
  /** UCUM code of what is stored. */
  readonly unit: string;
  readonly kind: ValueKind;
  readonly min: number | null;
  readonly max: number | null;
}

export interface ChannelMetricConfig {
  readonly name: string;
  /** JSON: member names from the payload's root. Empty for Protobuf. */
  readonly path: readonly string[];
  /** UCUM code of what the device sends; null: the canonical unit. */
  readonly unit: string | null;
  readonly required: boolean;
}

export interface WindowConfig {
  /** '1m', '1h': as the table's suffix. */
  readonly name: string;
  readonly lengthMs: number;
  readonly retentionMs: number;
}

export interface ChannelConfig {
  readonly name: string;
  readonly format: 'protobuf' | 'json';
  /** Empty path: event time is the received time (JSON), or the sample's own field (Protobuf). */
  readonly time: {
    readonly path: readonly string[];
    readonly format: TimeFormat;
    readonly required: boolean;
  };
  readonly eventIdPath: readonly string[];
  readonly metrics: readonly ChannelMetricConfig[];
  readonly age: { readonly maxMs: number; readonly policy: Policy };
  readonly clock: { readonly maxSkewMs: number; readonly policy: Policy };
  readonly unknownMetrics: 'reject' | 'ignore';
  /** Shortest first. */
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
  };
  readonly kernel: {
    /** 0: the kernel runs in the main thread. */
    readonly workers: number;
    /** Per partition. */
    readonly memoryBytes: number;
    readonly build: 'auto' | 'simd' | 'scalar' | 'debug';
  };
  readonly checkpoint: { readonly intervalMs: number };
  readonly ingest: { readonly lingerMs: number };
  readonly devices: {
    readonly policy: 'register' | 'strict';
    /** 'tenant/site/device', used when strict. */
    readonly allow: readonly string[];
    /** Per partition. */
    readonly max: number;
    readonly idsPerDevice: number;
  };
  readonly dedup: { readonly horizonMs: number };
  readonly deadLetters: { readonly perDeviceMinute: number; readonly retentionMs: number };
  readonly shadows: { readonly intervalMs: number };
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
    typeof value === 'object' ? inspect(value, { depth: 1, breakLength: Infinity }) : quoted(value);
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
