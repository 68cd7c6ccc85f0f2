/**
 * The streams as data: what is asked of each. In: log id, partitions, limits. Out: stream
 * configurations in JetStream's own words, and STORE_TOO_SMALL when they do not fit the store
 * together. Nothing here talks to a server.
 *
 *   LOG_<log>_<p>   the log: refuses when full (discard new), loses nothing by itself
 *   CKPT            ownership records (the newest few per partition) and skips (one key each, kept)
 *   STATE           checkpoint chunks: refuses when full, removed by their owner
 *   FACTS, DLQ      feeds: the oldest goes first
 *   KV_shadow       newest shadow per device: refuses new devices when full
 *   KV_millrace     plan and members
 */

import { OperatingError } from '../model/error.ts';
import { MESSAGE_BYTES_MAX } from '../model/limit.ts';
import { logSubjects, streamName } from '../wire/subject.ts';

/** Headers and Nats-* fields of a native publish, on top of the body. */
const HEADERS_BYTES_MAX = 4_096;
/** The server's minimum: message ids are one name space for all devices, so they must not count. */
const DUPLICATE_WINDOW_NS = 100_000_000;
/**
 * Checkpoint records kept per partition; a skip has a subject of its own and is never displaced.
 */
const CHECKPOINT_HISTORY = 16;
/** Room to breathe: a full store refuses checkpoints too, and then nothing can ever be purged. */
const STORE_SHARE_MAX = 0.9;
const MIB = 1_048_576;
const DAY_MS = 86_400_000;

export interface StreamOptions {
  readonly logId: string;
  readonly partitions: number;
  /** All log streams together. */
  readonly logBytesMax: number;
  /** 0 (default): age removes nothing, only purging below a durable checkpoint does. */
  readonly logRetentionMs?: number;
  /**
   * The server's limit for files; absent: not checked, the server refuses what it cannot reserve.
   */
  readonly storeBytesMax?: number;
  /** Default 1. */
  readonly replicas?: number;
  /** Default 256 MiB. */
  readonly checkpointBytesMax?: number;
  /** Default 1 GiB. */
  readonly stateBytesMax?: number;
  /** Default 512 MiB and 7 days. */
  readonly factBytesMax?: number;
  readonly factRetentionMs?: number;
  /** Default 128 MiB and 30 days. */
  readonly deadLetterBytesMax?: number;
  readonly deadLetterRetentionMs?: number;
  /** Default 256 MiB. */
  readonly shadowBytesMax?: number;
}

/** Durations in nanoseconds, -1 = no limit, as the server has it. */
export interface StreamConfig {
  readonly name: string;
  readonly subjects: readonly string[];
  readonly storage: 'file';
  readonly retention: 'limits';
  readonly discard: 'new' | 'old';
  readonly allow_direct: boolean;
  readonly max_bytes: number;
  readonly max_age: number;
  readonly max_msgs: number;
  readonly max_msg_size: number;
  readonly max_msgs_per_subject: number;
  readonly duplicate_window: number;
  readonly num_replicas: number;
  readonly allow_rollup_hdrs: boolean;
  readonly deny_delete: boolean;
  readonly metadata: Readonly<Record<string, string>>;
}

export function planStreams(options: StreamOptions): StreamConfig[] {
  const partitions = Array.from({ length: options.partitions }, (_, partition) => partition);
  const configs = [
    ...partitions.map((partition) => logConfig(options, partition)),
    ...sharedConfigs(options),
  ];
  checkStore(configs, options.storeBytesMax);
  return configs;
}

const nanoseconds = (ms: number) => ms * 1_000_000;

function logConfig(options: StreamOptions, partition: number): StreamConfig {
  return {
    ...common(options),
    name: streamName(options.logId, partition),
    subjects: [logSubjects(options.logId, partition)],
    discard: 'new',
    max_bytes: Math.floor(options.logBytesMax / options.partitions),
    max_age: nanoseconds(options.logRetentionMs ?? 0),
    max_msg_size: MESSAGE_BYTES_MAX + HEADERS_BYTES_MAX,
    // Another count would send devices to other partitions: it needs another log id.
    metadata: { 'millrace-partitions': String(options.partitions) },
  };
}

function sharedConfigs(options: StreamOptions): StreamConfig[] {
  const base = common(options);
  return [
    {
      ...base,
      name: 'CKPT',
      subjects: ['ckpt.>', 'skip.>'],
      discard: 'new',
      max_bytes: options.checkpointBytesMax ?? 256 * MIB,
      max_msgs_per_subject: CHECKPOINT_HISTORY,
    },
    {
      ...base,
      name: 'STATE',
      subjects: ['state.>'],
      discard: 'new',
      max_bytes: options.stateBytesMax ?? 1024 * MIB,
    },
    {
      ...base,
      name: 'FACTS',
      subjects: ['agg.>', 'alert.>', 'shadow.>'],
      discard: 'old',
      max_bytes: options.factBytesMax ?? 512 * MIB,
      max_age: nanoseconds(options.factRetentionMs ?? 7 * DAY_MS),
    },
    {
      ...base,
      name: 'DLQ',
      subjects: ['dlq.>'],
      discard: 'old',
      max_bytes: options.deadLetterBytesMax ?? 128 * MIB,
      max_age: nanoseconds(options.deadLetterRetentionMs ?? 30 * DAY_MS),
    },
    keyValueConfig(base, 'shadow', options.shadowBytesMax ?? 256 * MIB),
    keyValueConfig(base, 'millrace', 16 * MIB),
  ];
}

/** A bucket as every NATS client knows it. */
function keyValueConfig(base: Common, bucket: string, bytesMax: number): StreamConfig {
  return {
    ...base,
    name: `KV_${bucket}`,
    subjects: [`$KV.${bucket}.>`],
    discard: 'new',
    max_bytes: bytesMax,
    max_msgs_per_subject: 1,
    allow_rollup_hdrs: true,
    deny_delete: true,
  };
}

type Common = ReturnType<typeof common>;

function common(options: StreamOptions) {
  return {
    storage: 'file',
    retention: 'limits',
    allow_direct: true,
    max_age: 0,
    max_msgs: -1,
    max_msg_size: -1,
    max_msgs_per_subject: -1,
    duplicate_window: DUPLICATE_WINDOW_NS,
    num_replicas: options.replicas ?? 1,
    allow_rollup_hdrs: false,
    deny_delete: false,
    metadata: {},
  } as const;
}

function checkStore(configs: readonly StreamConfig[], storeBytesMax: number | undefined): void {
  if (storeBytesMax === undefined) return;
  const sum = configs.reduce((bytes, config) => bytes + config.max_bytes, 0);
  const room = Math.floor(storeBytesMax * STORE_SHARE_MAX);
  if (sum <= room) return;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  const logs = configs.filter((config) => config.name.startsWith('LOG_'));
  const logBytes = logs.reduce((bytes, config) => bytes + config.max_bytes, 0);
  const others = configs.filter((config) => !config.name.startsWith('LOG_'));
  const list = others.map((config) => `${config.name} ${mib(config.max_bytes)}`).join(', ');
  throw new OperatingError(
    'STORE_TOO_SMALL',
    `The streams may take ${mib(sum)} together (${logs.length} log streams ${mib(logBytes)}, ` +
      `${list}), but 90 % of the NATS store is ${mib(room)}. Lower these limits or raise the ` +
      "store's.",
    { where: { sum, room } },
  );
}
