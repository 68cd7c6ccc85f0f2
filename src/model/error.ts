/**
 * Errors of the environment: one class, one catalogue of stable codes. Callers match on `code`,
 * never on text. Bugs are `assert`ed (base/assert.ts); bad data is a status, never an exception.
 */
export type Retry = 'now' | 'later' | 'never';

export interface ErrorEntry {
  /** What the code means, in one sentence. */
  readonly meaning: string;
  /** What the person who sees it should do. */
  readonly remedy: string;
  readonly retry: Retry;
}

const entry = (meaning: string, remedy: string, retry: Retry): ErrorEntry => ({
  meaning,
  remedy,
  retry,
});

/** The catalogue; docs/errors.md is checked against it by test/house. Keep it sorted by room. */
export const ERRORS = {
  // config
  CONFIG_INVALID: entry(
    'The configuration has problems; each is listed with file, line and column.',
    'Correct the listed lines; `millrace lint` checks the file without starting anything.',
    'never',
  ),
  // registry
  PLAN_UNREADABLE: entry(
    'A plan record of the log is damaged or was written by a newer version.',
    'Use the version that wrote it, or begin a new log with another log.id.',
    'never',
  ),
  // engine
  PORT_BUSY: entry(
    'A port that Millrace wants to listen on is taken by another process.',
    'Stop that process, choose another port in millrace.yaml, or start with `--ports auto`.',
    'never',
  ),
  NATS_SERVER_MISSING: entry(
    'No nats-server binary was found and none could be fetched.',
    'Install nats-server 2.14.3 or newer and put it on PATH or name it in MILLRACE_NATS_SERVER.',
    'never',
  ),
  NATS_SERVER_TOO_OLD: entry(
    'The nats-server binary found is older than 2.14.3.',
    'Install a newer nats-server, or unset MILLRACE_NATS_SERVER so that one is fetched.',
    'never',
  ),
  NATS_SERVER_FAILED: entry(
    'The embedded nats-server did not start or keeps dying.',
    'Read the log file named in the message; free disk space or ports, then start again.',
    'later',
  ),
  CLICKHOUSE_FAILED: entry(
    'The embedded ClickHouse engine did not start or keeps dying.',
    'Read the log file named in the message; another process may hold the data folder.',
    'later',
  ),
  // log
  NATS_UNREACHABLE: entry(
    'The NATS server cannot be reached.',
    'Check nats.url and that the server runs; work resumes by itself when it is back.',
    'later',
  ),
  STREAM_UNSAFE: entry(
    'An existing stream has settings with which acknowledged events could be lost.',
    'Correct the stream as the message says, or choose another log id in millrace.yaml.',
    'never',
  ),
  STORE_TOO_SMALL: entry(
    'The size limits of all streams together exceed 90 % of the NATS server’s store.',
    'Lower the limits that the message lists, or raise the limit of the store.',
    'never',
  ),
  LOG_FULL: entry(
    'A partition’s log stands at 80 % of its size limit, or the store is full: devices are refused.',
    'Raise log.maxBytes or free disk space; senders retry, nothing acknowledged is lost.',
    'later',
  ),
  LOG_TAIL_LOST: entry(
    'The log no longer holds what was already applied: its tail was lost.',
    'A new generation goes on from where the log is still the same; see docs/operations.md.',
    'never',
  ),
  LOG_PURGED: entry(
    'The log begins after the position of every retained checkpoint: messages are gone.',
    'Restore the log from a backup, or start a new log id; see docs/operations.md.',
    'never',
  ),
  APPEND_REFUSED: entry(
    'The log did not store a record batch.',
    'The sender retries the same bytes; look at the cause for what the server said.',
    'later',
  ),
  NOT_OWNER: entry(
    'Another process owns this partition.',
    'Nothing: the partition ended here and goes on there. Check for a second `millrace up`.',
    'never',
  ),
  CHECKPOINT_CORRUPT: entry(
    'A stored checkpoint cannot be read, and the log no longer holds everything to replay it from.',
    'The log was purged since: restore the data folder from a backup; see docs/operations.md.',
    'never',
  ),
  CHECKPOINT_SLOW: entry(
    'A checkpoint has been under way for more than 30 s: what it waits for is slow.',
    'Look at what the message names: stream STATE, ClickHouse, or FACTS. The log is kept meanwhile.',
    'later',
  ),
  STATE_FULL: entry(
    'There is no room for another checkpoint on stream STATE, or in its folder.',
    'The log is kept meanwhile. Free disk space, or remove savepoints (`millrace savepoint remove`).',
    'later',
  ),
  STATE_FAILED: entry(
    'The folder of checkpoints (checkpoint.store: folder) cannot be read or written.',
    'Check the disk that the message names; the log is kept until a checkpoint can be taken again.',
    'later',
  ),
  CHECKPOINT_INCOMPATIBLE: entry(
    'A checkpoint was written by a version whose state or results differ from this one’s.',
    'Start the version that the message names, or see docs/operations.md, "Another version".',
    'never',
  ),
  // cluster
  MEMBER_NAME_TAKEN: entry(
    'Two workers of one log call themselves by the same name.',
    'Give each worker a --name and a --data-dir of its own; never copy a data folder.',
    'never',
  ),
  CLUSTER_MISMATCH: entry(
    'The workers that are running have another version or configuration than this one.',
    'Start it with the same millrace.yaml and version, or make its own the one of all: --apply.',
    'never',
  ),
  OWNERSHIP_UNREACHABLE: entry(
    'An ownership record cannot be renewed: NATS has no majority, or is cut off from this worker.',
    'Bring the NATS servers back; output resumes by itself, and nothing acknowledged is lost.',
    'later',
  ),
  MOVE_TIMED_OUT: entry(
    'A partition did not reach the worker that it was sent to within a minute.',
    'Look at `millrace cluster status`: the target may be restoring, or its owner not answering.',
    'later',
  ),
  SAVEPOINT_EXISTS: entry(
    'A savepoint of this name is there already.',
    'Choose another name, or remove the old one with `millrace savepoint remove NAME`.',
    'never',
  ),
  SAVEPOINT_UNKNOWN: entry(
    'There is no savepoint of this name.',
    'See `millrace savepoint list`.',
    'never',
  ),
  SAVEPOINT_EMPTY: entry(
    'A partition has no checkpoint yet that a savepoint could keep.',
    'Wait one checkpoint.interval after the first start, then try again.',
    'later',
  ),
  // kernel
  KERNEL_INCOMPATIBLE: entry(
    'The kernel binary speaks another ABI version than this program.',
    'Run `npm run setup` to rebuild the kernel.',
    'never',
  ),
  PLAN_TOO_LARGE: entry(
    'The compiled plan does not fit where the kernel keeps it.',
    'Declare fewer channels, metrics, paths or devices per log, as the message says.',
    'never',
  ),
  KERNEL_TRAPPED: entry(
    'The kernel trapped: a bug in the kernel; the record is skipped and kept as a dead letter.',
    'Report it with the dead letter that the message names.',
    'now',
  ),
  MEMORY_FULL: entry(
    'The memory reserved for a partition is used up; the partition waits.',
    'Raise kernel.memory in millrace.yaml and restart; nothing is lost.',
    'never',
  ),
  CLOCK_BEHIND_LOG: entry(
    'Log stamps are more than 60 s ahead of this machine’s clock.',
    'Correct the clock of this machine or of the NATS server, then restart.',
    'later',
  ),
  // ingest
  IDENTITY_INVALID: entry(
    'A tenant, site, device or channel id has characters outside [A-Za-z0-9_-] or is too long.',
    'Use 1 to 64 characters of A-Z, a-z, 0-9, underscore and hyphen.',
    'never',
  ),
  RECORD_TOO_LARGE: entry(
    'A record is larger than a log message may be.',
    'Send smaller messages: at most 60 KiB of payload.',
    'never',
  ),
  INGEST_STOPPED: entry(
    'The record came after ingest began to stop.',
    'Send it again to a running instance.',
    'later',
  ),
  // readmodel
  CLICKHOUSE_UNREACHABLE: entry(
    'ClickHouse cannot be reached.',
    'Check clickhouse.url and that the server runs; inserts resume by themselves.',
    'later',
  ),
  CLICKHOUSE_REFUSED: entry(
    'ClickHouse refused a statement for a reason that does not pass by itself.',
    'Read the ClickHouse code and text in the message.',
    'never',
  ),
  SCHEMA_CONFLICT: entry(
    'A table exists with another shape than this version expects.',
    'Use another database, or migrate by hand as docs/operations.md says.',
    'never',
  ),
  SPOOL_FULL: entry(
    'ClickHouse takes no rows, and the insert spool has reached clickhouse.spoolMaxBytes.',
    'Bring ClickHouse back, or raise the limit; turns wait meanwhile, nothing is lost.',
    'later',
  ),
  SPOOL_FAILED: entry(
    'The insert spool cannot be written.',
    'Check the disk that the message names; turns wait for ClickHouse instead, nothing is lost.',
    'later',
  ),
  SPOOL_CORRUPT: entry(
    'A batch that the insert spool had acknowledged cannot be read: the disk damaged it.',
    'Move the spool folder away and start again; see docs/operations.md, "The insert spool".',
    'never',
  ),
  READMODEL_BEHIND: entry(
    'ClickHouse lacks rows that the checkpoint counts as stored: it was restored or emptied.',
    'They are computed again from the log as far as it reaches; see docs/operations.md.',
    'now',
  ),
  // cli
  NOT_RUNNING: entry(
    'No running Millrace was found in the data folder.',
    'Start one with `millrace up`, or name its folder with `--data-dir`.',
    'never',
  ),
  ALREADY_RUNNING: entry(
    'A Millrace already runs on this data folder.',
    'Use it, stop it with `millrace stop`, or choose another `--data-dir`.',
    'never',
  ),
  DISK_FULL: entry(
    'The disk has no room left.',
    'Free space; work resumes and nothing acknowledged is lost.',
    'later',
  ),
  INPUT_INVALID: entry(
    'A command was given a file or option it cannot use.',
    'Correct it as the message says; `--help` shows examples.',
    'never',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

export interface OperatingErrorOptions {
  readonly cause?: unknown;
  /** Ids needed to find the place: partition, stream, sequence, file, port … */
  readonly where?: Readonly<Record<string, string | number | bigint>>;
  readonly waitMs?: number;
}

export class OperatingError extends Error {
  override name = 'OperatingError';
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly waitMs: number;
  readonly where: Readonly<Record<string, string | number | bigint>>;

  constructor(code: ErrorCode, message: string, options: OperatingErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retry = ERRORS[code].retry;
    this.waitMs = options.waitMs ?? 0;
    this.where = options.where ?? {};
  }
}

export function isOperatingError(error: unknown, code?: ErrorCode): error is OperatingError {
  return error instanceof OperatingError && (code === undefined || error.code === code);
}
