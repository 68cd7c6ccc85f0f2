/**
 * Creates the streams and checks those that exist. In: a link, the limits. Out: nothing, when every
 * stream is as asked; STREAM_UNSAFE naming stream, setting, found and expected value when one has
 * settings that would lose data. Invariant: nothing is created or changed before all are judged.
 */
import { OperatingError } from '../model/error.ts';
import { API_ERROR, callApi, refusedError } from './api.ts';
import type { NatsLink } from './connection.ts';
import { planStreams, type StreamConfig, type StreamOptions } from './stream-plan.ts';

interface Info {
  readonly config: FoundConfig;
}

export async function ensureStreams(link: NatsLink, options: StreamOptions): Promise<void> {
  const asked = planStreams(options);
  await checkPartitions(link, options);
  const found = await Promise.all(asked.map((config) => findConfig(link, config.name)));
  const changed: { readonly config: StreamConfig; readonly existing: FoundConfig | null }[] = [];
  for (const [index, config] of asked.entries()) {
    const existing = found[index] ?? null;
    const differences = existing ? findDifferences(existing, config) : [];
    refuseUnsafe(config.name, differences);
    if (!existing || differences.length > 0) changed.push({ config, existing });
  }
  for (const { config, existing } of changed) await settle(link, config, existing);
}

/** A log that was made with more partitions has streams beyond ours: devices would be missed. */
async function checkPartitions(link: NatsLink, options: StreamOptions): Promise<void> {
  const prefix = `LOG_${options.logId}_`;
  const body = { subject: `log.${options.logId}.>` };
  const answer = await callApi<{ streams: string[] | null }>(link, 'STREAM.NAMES', body);
  if (answer.error) throw refusedError('STREAM.NAMES', answer.error);
  const beyond = (answer.streams ?? []).find(
    (name) => name.startsWith(prefix) && Number(name.slice(prefix.length)) >= options.partitions,
  );
  if (beyond === undefined) return;
  throw unsafeError(beyond, {
    setting: 'partitions',
    found: `at least ${Number(beyond.slice(prefix.length)) + 1}`,
    expected: String(options.partitions),
    danger: 'devices would move to other partitions: the count is fixed for the life of a log id',
  });
}

async function findConfig(link: NatsLink, name: string): Promise<FoundConfig | null> {
  const answer = await callApi<Info>(link, `STREAM.INFO.${name}`);
  if (answer.error?.err_code === API_ERROR.streamNotFound) return null;
  if (!answer.config) throw refusedError(`STREAM.INFO.${name}`, answer.error);
  return answer.config;
}

async function settle(link: NatsLink, asked: StreamConfig, existing: FoundConfig | null) {
  const operation = existing ? `STREAM.UPDATE.${asked.name}` : `STREAM.CREATE.${asked.name}`;
  const metadata = { ...existing?.metadata, ...asked.metadata };
  const answer = await callApi<Info>(link, operation, { ...existing, ...asked, metadata });
  if (!answer.config) throw explainedError(operation, asked, answer.error);
  // An older server leaves out what it does not know, without a word.
  const [difference] = findDifferences(answer.config, asked);
  if (difference) {
    const danger = difference.danger || 'the server did not take the setting: it may be too old';
    throw unsafeError(asked.name, { ...difference, danger });
  }
}

function explainedError(
  operation: string,
  asked: StreamConfig,
  error: Parameters<typeof refusedError>[1],
) {
  if (error?.err_code === API_ERROR.subjectOverlap) {
    return unsafeError(asked.name, {
      setting: 'subjects',
      found: 'another stream of this account takes some of them',
      expected: `${asked.subjects.join(', ')} for this stream alone`,
      danger: 'messages would go elsewhere',
    });
  }
  if (error?.err_code === API_ERROR.noStorage || error?.err_code === API_ERROR.noStorageAccount) {
    return new OperatingError(
      'STORE_TOO_SMALL',
      `The NATS store has no room for stream ${asked.name} with ${asked.max_bytes} bytes ` +
        `(${error.description}). Lower the streams' limits or raise the store's.`,
      { where: { stream: asked.name, bytes: asked.max_bytes } },
    );
  }
  return refusedError(operation, error);
}

function refuseUnsafe(stream: string, differences: readonly Difference[]): void {
  const unsafe = differences.find((difference) => difference.danger !== '');
  if (unsafe) throw unsafeError(stream, unsafe);
}

function unsafeError(stream: string, difference: Difference): OperatingError {
  const { setting, found, expected, danger } = difference;
  return new OperatingError(
    'STREAM_UNSAFE',
    `Stream ${stream} has ${setting} = ${found}, expected is ${expected}: ${danger}. Correct it ` +
      `(nats stream edit ${stream}), or choose another log.id in millrace.yaml.`,
    { where: { stream, setting, found, expected } },
  );
}

// --- judging a stream that exists ----------------------------------------------------------------
/**
 * A difference is either unsafe (acknowledged messages could be lost, hidden or refused; only a
 * person can decide) or harmless (an update settles it).
 */
type FoundConfig = Partial<StreamConfig> & Readonly<Record<string, unknown>>;

interface Difference {
  readonly setting: string;
  readonly found: string;
  readonly expected: string;
  /** Empty when an update may settle it. */
  readonly danger: string;
}

type Judge = (found: FoundConfig, asked: StreamConfig) => boolean;

interface Rule {
  readonly setting: string;
  readonly expected: (asked: StreamConfig) => unknown;
  readonly isUnsafe: Judge;
  readonly danger: string;
}

const holdsLog: Judge = (_, asked) => asked.name.startsWith('LOG_');
const keepsEverything: Judge = (_, asked) => asked.discard === 'new';
const isSet = (value: unknown): boolean =>
  Array.isArray(value)
    ? value.length > 0
    : value !== undefined && value !== null && value !== false;
/** Limits: -1 and 0 mean none. */
const isBelow = (found: unknown, asked: number): boolean => {
  const limit = typeof found === 'number' ? found : 0;
  return limit > 0 && (asked <= 0 || limit < asked);
};
const must = (setting: keyof StreamConfig, danger: string, when: Judge = () => true): Rule => ({
  setting,
  expected: (asked) => asked[setting],
  isUnsafe: (found, asked) => when(found, asked) && !isSame(found[setting], asked[setting]),
  danger,
});
const mustNot = (setting: string, danger: string, when: Judge = () => true): Rule => ({
  setting,
  expected: () => 'not set',
  isUnsafe: (found, asked) => when(found, asked) && isSet(found[setting]),
  danger,
});
const mustReach = (setting: 'max_age' | 'max_msgs' | 'max_msg_size', danger: string): Rule => ({
  setting,
  expected: (asked) => (asked[setting] <= 0 ? 'no limit' : `at least ${asked[setting]}`),
  isUnsafe: (found, asked) =>
    keepsEverything(found, asked) && isBelow(found[setting], asked[setting]),
  danger,
});

const RULES: readonly Rule[] = [
  must('retention', 'messages are removed before they are processed'),
  must('storage', 'messages do not survive a restart of the server'),
  must('discard', 'the oldest messages are removed when it is full', keepsEverything),
  must('subjects', 'it stores other messages, or misses some'),
  must('allow_direct', 'catching up by Direct Get is not possible'),
  mustReach('max_age', 'messages are removed by age'),
  mustReach('max_msgs', 'it refuses messages while it has room'),
  mustReach('max_msg_size', 'it refuses full record batches'),
  {
    setting: 'max_msgs_per_subject',
    expected: (asked) =>
      asked.max_msgs_per_subject <= 0 ? 'no limit' : asked.max_msgs_per_subject,
    isUnsafe: (found, asked) =>
      holdsLog(found, asked) && isBelow(found.max_msgs_per_subject, asked.max_msgs_per_subject),
    danger: 'older messages of a subject are removed',
  },
  must('allow_rollup_hdrs', 'a publisher may erase everything with one header', holdsLog),
  {
    setting: 'metadata.millrace-partitions',
    expected: (asked) => asked.metadata['millrace-partitions'],
    isUnsafe: (found, asked) =>
      holdsLog(found, asked) &&
      found.metadata?.['millrace-partitions'] !== undefined &&
      found.metadata['millrace-partitions'] !== asked.metadata['millrace-partitions'],
    danger: 'devices would move to other partitions: the count is fixed for the life of a log id',
  },
  mustNot('sealed', 'it takes no messages'),
  mustNot('no_ack', 'messages are not acknowledged'),
  mustNot('mirror', 'its messages come from another stream'),
  mustNot('sources', 'its messages come from other streams'),
  mustNot('subject_transform', 'messages are stored under other subjects'),
  mustNot('allow_msg_ttl', 'a publisher may give a message an end', holdsLog),
  {
    setting: 'persist_mode',
    expected: () => 'default',
    isUnsafe: (found) => found.persist_mode === 'async',
    danger: 'messages are acknowledged before they are stored',
  },
];

function findDifferences(found: FoundConfig, asked: StreamConfig): Difference[] {
  const unsafe = RULES.filter((rule) => rule.isUnsafe(found, asked)).map((rule) => ({
    setting: rule.setting,
    found: show(valueAt(found, rule.setting)),
    expected: show(rule.expected(asked)),
    danger: rule.danger,
  }));
  const judged = new Set(unsafe.map((difference) => difference.setting));
  const harmless = Object.entries(asked)
    .filter(([setting, value]) => !judged.has(setting) && !isSame(found[setting], value))
    .map(([setting, value]) => ({
      setting,
      found: show(found[setting]),
      expected: show(value),
      danger: '',
    }));
  return [...unsafe, ...harmless];
}

function valueAt(found: FoundConfig, setting: string): unknown {
  if (!setting.startsWith('metadata.')) return found[setting];
  return found.metadata?.[setting.slice('metadata.'.length)];
}

/** The server adds metadata of its own and leaves out what is false or empty. */
function isSame(found: unknown, asked: unknown): boolean {
  if (Array.isArray(asked)) {
    return Array.isArray(found) && [...found].sort().join() === [...asked].sort().join();
  }
  if (typeof asked === 'object' && asked !== null) {
    const held = (found ?? {}) as Record<string, unknown>;
    return Object.entries(asked).every(([key, value]) => held[key] === value);
  }
  if (asked === false) return found === false || found === undefined;
  return found === asked;
}

const show = (value: unknown): string =>
  value === undefined ? 'not set' : typeof value === 'string' ? value : JSON.stringify(value);
