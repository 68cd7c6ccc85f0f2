/**
 * JetStream's request API in plain requests. In: an operation and its body. Out: the answer, in
 * which `error` says what the server refused; NATS_UNREACHABLE when nobody answered.
 */
import { type ErrorCode, isOperatingError, OperatingError } from '../model/error.ts';
import type { NatsLink } from './connection.ts';

/** Codes that callers tell apart; the server's catalogue has the rest. */
export const API_ERROR = {
  messageNotFound: 10037,
  messageTooLarge: 10054,
  noStorage: 10023,
  noStorageAccount: 10047,
  storeFailed: 10077,
  streamNotFound: 10059,
  subjectOverlap: 10065,
  wrongLastSequence: 10071,
  /** The same conflict between racing writers of a replicated stream. */
  wrongLastSequenceRacing: 10164,
} as const;

export interface ApiError {
  readonly code: number;
  readonly err_code: number;
  readonly description: string;
}

export type ApiAnswer<T> = Partial<T> & { readonly error?: ApiError };

export interface StoredMessage {
  readonly subject: string;
  readonly seq: number;
  readonly hdrs?: string;
  readonly data?: string;
  readonly time: string;
}

const encoder = new TextEncoder();
/**
 * A stream without a leader says nothing, and what it was asked meanwhile is lost: asked again, it
 * answers soon after the election. Together as patient as any other request.
 */
const ASK_TIMEOUT_MS = 1_700;
const ASKS_MAX = 3;

export async function callApi<T>(
  link: NatsLink,
  operation: string,
  body: Readonly<Record<string, unknown>> = {},
  timeoutMs?: number,
): Promise<ApiAnswer<T>> {
  const payload = encoder.encode(JSON.stringify(body));
  const limit = timeoutMs === undefined ? {} : { timeoutMs };
  const reply = await link.request(`$JS.API.${operation}`, payload, limit);
  return JSON.parse(reply.string()) as ApiAnswer<T>;
}

/** A question that changes nothing. */
export async function askApi<T>(
  link: NatsLink,
  operation: string,
  body: Readonly<Record<string, unknown>> = {},
): Promise<ApiAnswer<T>> {
  for (let asked = 1; ; asked += 1) {
    try {
      return await callApi<T>(link, operation, body, ASK_TIMEOUT_MS);
    } catch (error) {
      const isLast = asked === ASKS_MAX || !link.isConnected;
      if (isLast || !isOperatingError(error, 'NATS_UNREACHABLE')) throw error;
    }
  }
}

/** Reads one message from the stream's leader; null when there is none. */
export async function getStored(
  link: NatsLink,
  stream: string,
  query: { readonly seq?: number; readonly last_by_subj?: string; readonly next_by_subj?: string },
): Promise<StoredMessage | null> {
  const operation = `STREAM.MSG.GET.${stream}`;
  const answer = await askApi<{ message: StoredMessage }>(link, operation, query);
  if (answer.error?.err_code === API_ERROR.messageNotFound) return null;
  if (!answer.message) throw refusedError(operation, answer.error);
  return answer.message;
}

/** All subjects of a stream that match, from its leader; the server answers in pages. */
export async function listSubjects(
  link: NatsLink,
  stream: string,
  filter: string,
): Promise<string[]> {
  interface Info {
    state: { subjects?: Record<string, number> };
    total: number;
    offset: number;
    limit: number;
  }
  const subjects: string[] = [];
  while (true) {
    const operation = `STREAM.INFO.${stream}`;
    const body = { subjects_filter: filter, offset: subjects.length };
    const answer = await askApi<Info>(link, operation, body);
    if (!answer.state) throw refusedError(operation, answer.error);
    const page = Object.keys(answer.state.subjects ?? {});
    subjects.push(...page);
    if (page.length === 0 || subjects.length >= (answer.total ?? 0)) return subjects;
  }
}

export function refusedError(operation: string, error: ApiError | undefined): OperatingError {
  const said = error ? `${error.description} (${error.err_code})` : 'an answer without content';
  return new OperatingError(refusalCode(error), `NATS refused ${operation}: ${said}.`, {
    where: { operation, natsCode: error?.err_code ?? 0 },
  });
}

function refusalCode(error: ApiError | undefined): ErrorCode {
  if (error?.err_code === API_ERROR.streamNotFound) return 'STREAM_UNSAFE';
  if (error?.err_code === API_ERROR.messageTooLarge) return 'RECORD_TOO_LARGE';
  if (/no space left|disk full/i.test(error?.description ?? '')) return 'DISK_FULL';
  if (error?.err_code === API_ERROR.noStorage) return 'LOG_FULL';
  if (error?.err_code === API_ERROR.noStorageAccount) return 'LOG_FULL';
  if (/maximum (bytes|messages) exceeded/.test(error?.description ?? '')) return 'LOG_FULL';
  return error === undefined || error.code === 503 ? 'NATS_UNREACHABLE' : 'APPEND_REFUSED';
}

/** A stored header block that says nothing ("NATS/1.0" alone) is no header, however it is read. */
const EMPTY_HEADER_BYTES = 12;
const NO_BYTES = new Uint8Array(0);

export function headersOf(raw: Uint8Array): Uint8Array {
  return raw.length <= EMPTY_HEADER_BYTES ? NO_BYTES : raw;
}

/** '2026-01-02T03:04:05.123456789Z', with 0 to 9 digits of fraction, to nanoseconds. */
export function parseTimeNs(text: string): bigint {
  const seconds = Date.parse(`${text.slice(0, 19)}Z`);
  const fraction = text.slice(20, text.length - 1).padEnd(9, '0');
  return BigInt(seconds) * 1_000_000n + BigInt(fraction);
}
