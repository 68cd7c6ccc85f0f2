/**
 * Every option of millrace.yaml: type, default, range, meaning of 0. Published as
 * docs/millrace.schema.json; docs/configuration.md lists the same (both written by publish.ts,
 * tested). Limits of the kernel come from model/limit.ts and are written nowhere else.
 */
import type { Static } from 'typebox';
import { CHANNEL_SCHEMA, METRIC_SCHEMA } from './channel.ts';
import {
  COLUMN_PATTERN,
  choice,
  dictionary,
  duration,
  flag,
  integer,
  list,
  NAME_PATTERN,
  retention,
  section,
  size,
  text,
} from './option.ts';

const DATABASE_PATTERN = '^[A-Za-z_][A-Za-z0-9_]{0,63}$';
/** A macro's value is the server's own. */
const CLUSTER_PATTERN = '^([A-Za-z_][A-Za-z0-9_.-]{0,63}|\\{[A-Za-z_][A-Za-z0-9_]{0,63}\\})$';
const ID = '[A-Za-z0-9_-]{1,64}';
/** A partition's streams, memory and readers cost something even when idle. */
export const PARTITIONS_MAX = 256;
const PORT = { minimum: 0, maximum: 65_535, zero: 'any free port' } as const;
/** Fixed regions take about 19 MiB; above, a 32-bit address must still name its end. */
export const KERNEL_MEMORY_RANGE = ['32MiB', '4095MiB'] as const;

const USER_WHAT = 'a user name of 1 to 64 printable characters';
const USER_PATTERN = '^[!-~]{1,64}$';

export const CONFIG_SCHEMA = section('Configuration of Millrace (millrace.yaml).', {
  version: integer('Version of this file format.', { default: 1, minimum: 1, maximum: 1 }),
  log: section('The durable log: everything admitted, in order, per partition.', {
    id: text('Name of the log; another name is another log, starting empty.', {
      default: 'main',
      pattern: `^${ID}$`,
      what: '1 to 64 characters of A-Z a-z 0-9 _ -',
    }),
    partitions: integer('Shares of the devices; fixed for the life of a log.', {
      default: 16,
      minimum: 1,
      maximum: PARTITIONS_MAX,
    }),
    maxBytes: size('Disk the log may take, all partitions together.', {
      default: '4GiB',
      range: ['16MiB', '64TiB'],
    }),
    retention: retention('How long the log is kept for replay; forever: until maxBytes.', {
      default: '7d',
      range: ['1h', '10y'],
    }),
  }),
  nats: section('NATS: embedded, or a server of yours.', {
    url: text('A server of yours instead of the embedded one; of a cluster several, with commas.', {
      default: null,
      pattern: '^(nats|tls|ws|wss)://[^\\s/,]+(,(nats|tls|ws|wss)://[^\\s/,]+)*$',
      what: 'a URL such as nats://host:4222, or several with commas between',
    }),
    user: text('User at `url`; null: none.', {
      default: null,
      pattern: USER_PATTERN,
      what: USER_WHAT,
    }),
    password: text('Password at `url`; better MILLRACE_NATS_PASSWORD.', {
      default: null,
      what: 'a text',
    }),
    replicas: integer('Copies of every stream; 3 needs a cluster of three servers at `url`.', {
      default: 1,
      minimum: 1,
      maximum: 5,
    }),
    port: integer('Port of the embedded server (loopback).', { default: 4222, ...PORT }),
    websocketPort: integer('WebSocket port of the embedded server.', { default: 8444, ...PORT }),
    monitorPort: integer('HTTP monitoring port of the embedded server.', {
      default: 8222,
      ...PORT,
    }),
    sync: choice(
      'Embedded: `always` makes each acknowledgement survive power loss, at a high price.',
      ['default', 'always'],
      'default',
    ),
  }),
  clickhouse: section('ClickHouse: embedded, or a server of yours.', {
    url: text('A server of yours instead of the embedded engine.', {
      default: null,
      pattern: '^https?://[^\\s/]+',
      what: 'a URL such as http://host:8123',
    }),
    port: integer('HTTP port of the embedded engine (loopback).', { default: 8123, ...PORT }),
    database: text('Database of the tables and views.', {
      default: 'millrace',
      pattern: DATABASE_PATTERN,
      what: 'letters, digits and _, not beginning with a digit, at most 64',
    }),
    user: text('User that writes.', { default: 'default', pattern: USER_PATTERN, what: USER_WHAT }),
    password: text('Its password; better MILLRACE_CLICKHOUSE_PASSWORD.', {
      default: '',
      what: 'a text',
    }),
    readonlyUser: text('User of the embedded engine that can only read.', {
      default: 'analyst',
      pattern: USER_PATTERN,
      what: USER_WHAT,
    }),
    readonlyPassword: text('Its password.', { default: 'analyst', what: 'a text' }),
    memory: size('Memory the embedded engine may use.', {
      default: '2GiB',
      range: ['256MiB', '64TiB'],
    }),
    cluster: text('Name of the cluster on which tables are made; null: one server.', {
      default: null,
      pattern: CLUSTER_PATTERN,
      what: 'a name of system.clusters, or a macro such as {cluster}',
    }),
    // About a quarter of an hour of 20,000 samples a second, at some 110 bytes each.
    spoolMaxBytes: size('Disk for rows that wait for ClickHouse; beyond it turns wait.', {
      default: '2GiB',
      range: ['0B', '64TiB'],
      zero: 'no spool: checkpoints wait for ClickHouse, turns too once 64MiB are held',
    }),
  }),
  kernel: section('The WebAssembly kernel that applies the log.', {
    workers: integer('Threads that run partitions.', {
      default: 0,
      minimum: 0,
      maximum: 64,
      zero: 'in the main thread',
    }),
    memory: size('Memory reserved per partition; untouched pages cost nothing.', {
      default: '256MiB',
      range: KERNEL_MEMORY_RANGE,
    }),
    build: choice(
      'Which kernel to load; auto: simd where the machine can.',
      ['auto', 'simd', 'scalar', 'debug'],
      'auto',
    ),
  }),
  cluster: section('Several workers on one log (`millrace up --join`).', {
    standbys: integer('Workers that follow each partition, ready to take it over.', {
      default: 1,
      minimum: 0,
      maximum: 4,
      zero: 'none: a takeover begins with a restore',
    }),
  }),
  checkpoint: section('Saving of state.', {
    interval: duration('How often changed state is saved.', {
      default: '10s',
      range: ['1s', '15m'],
    }),
    store: choice(
      'Where state is saved: stream STATE, or folder `state` of the data folder (one machine only).',
      ['stream', 'folder'],
      'stream',
    ),
  }),
  ingest: section('The way into the log.', {
    linger: duration('How long a record batch waits for company.', {
      default: '5ms',
      range: ['0ms', '1s'],
      zero: 'no wait',
    }),
  }),
  devices: section('Which devices are known.', {
    policy: choice(
      'register: a device is known from its first record on; strict: only those of `allow`.',
      ['register', 'strict'],
      'register',
    ),
    allow: list(
      'Known devices when strict.',
      text('tenant/site/device', {
        pattern: `^${ID}/${ID}/${ID}$`,
        what: 'tenant/site/device, each 1 to 64 characters of A-Z a-z 0-9 _ -',
      }),
      { default: [], maxItems: 100_000 },
    ),
    max: integer('Devices per partition at most; a record of one more is LIMIT_EXCEEDED.', {
      default: 65_536,
      minimum: 1,
      maximum: 1_048_576,
    }),
    idsPerDevice: integer('Event ids remembered per device.', {
      default: 1024,
      minimum: 1,
      maximum: 65_536,
    }),
  }),
  dedup: section('Recognising events that were sent before.', {
    horizon: duration('How long (log time) an event id is remembered.', {
      default: '7d',
      range: ['1m', '5y'],
    }),
    contents: integer('Digests of contents remembered per device, of records without any id.', {
      default: 64,
      minimum: 1,
      maximum: 65_536,
    }),
  }),
  texts: section('Values of text metrics.', {
    max: integer('Distinct texts per partition; a new one beyond is TEXT_LIMIT.', {
      default: 65_536,
      minimum: 1,
      maximum: 1_048_576,
    }),
  }),
  quality: section('The six dimensions of quality per device and minute.', {
    enabled: flag('They are counted (rows of quality_1m).', true),
    retention: retention('How long its rows are kept.', { default: '90d', range: ['1h', '100y'] }),
  }),
  alerts: section('Alerts that the channels declare.', {
    retention: retention('How long rows are kept after an alert was raised.', {
      default: '1y',
      range: ['1h', '100y'],
    }),
  }),
  deadLetters: section('Rejected records.', {
    perDeviceMinute: integer('Dead letters per device and minute; the rest is only counted.', {
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
      zero: 'none is kept, all are counted',
    }),
    retention: retention('How long they are kept.', {
      default: '7d',
      range: ['1h', '10y'],
    }),
  }),
  shadows: section('The reported state of each device.', {
    interval: duration('A shadow is published at most once per this much log time.', {
      default: '5s',
      range: ['0s', '1d'],
      zero: 'at every flush point (each second)',
    }),
    publish: flag('They go to `shadow.…` and into the bucket `shadow`.', true),
  }),
  facts: section('What is published on NATS subjects.', {
    format: choice('How bodies are written.', ['json', 'protobuf'], 'json'),
  }),
  metrics: dictionary(
    'Catalogue: every metric with the unit and range in which it is stored.',
    { pattern: COLUMN_PATTERN, what: 'letters, digits and _, not beginning with a digit' },
    METRIC_SCHEMA,
  ),
  channels: dictionary(
    'Kinds of messages that devices send.',
    { pattern: NAME_PATTERN, what: '1 to 64 characters of A-Z a-z 0-9 _ -' },
    CHANNEL_SCHEMA,
  ),
});

/** A configuration whose shape is checked and whose fixed defaults are filled in. */
export type RawConfig = Static<typeof CONFIG_SCHEMA>;
export type RawChannel = RawConfig['channels'][string];
