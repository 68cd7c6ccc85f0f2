/**
 * Errors as ClickHouse words them, and the HTTP status each gets. In: what chDB threw, or a refusal
 * of our own. Out: code, name, text. Invariant: a client reads the same `Code: 60. DB::Exception:
 * … (UNKNOWN_TABLE)` as from a server, without paths of our temporary files.
 */

/** The codes that this room itself gives; all others come from the engine. */
export const CLICKHOUSE_CODES = {
  BAD_ARGUMENTS: 36,
  FILE_DOESNT_EXIST: 107,
  UNKNOWN_SETTING: 115,
  UNKNOWN_FORMAT: 73,
  NOT_IMPLEMENTED: 48,
  UNKNOWN_TYPE_OF_QUERY: 98,
  SYNTAX_ERROR: 62,
  TOO_LARGE_SIZE_COMPRESSED: 131,
  READONLY: 164,
  UNKNOWN_CODEC: 432,
  REQUIRED_PASSWORD: 194,
  TOO_MANY_SIMULTANEOUS_QUERIES: 202,
  QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING: 216,
  QUERY_IS_TOO_LARGE: 214,
  CANNOT_DECOMPRESS: 271,
  CHECKSUM_DOESNT_MATCH: 40,
  NOT_ENOUGH_SPACE: 243,
  INTO_OUTFILE_NOT_ALLOWED: 358,
  SESSION_NOT_FOUND: 372,
  SESSION_IS_LOCKED: 373,
  INVALID_SESSION_TIMEOUT: 374,
  QUERY_WAS_CANCELLED: 394,
  TOO_MANY_ROWS_OR_BYTES: 396,
  ACCESS_DENIED: 497,
  AUTHENTICATION_FAILED: 516,
  SESSION_ID_EMPTY: 637,
  UNSUPPORTED_MEDIA_TYPE: 725,
  EMPTY_QUERY: 62,
  POCO_EXCEPTION: 1000,
} as const;

export type CodeName = keyof typeof CLICKHOUSE_CODES;

export class ClickHouseError extends Error {
  override name = 'ClickHouseError';
  readonly code: number;
  readonly codeName: string;

  constructor(codeName: CodeName, text: string) {
    super(text);
    this.codeName = codeName === 'EMPTY_QUERY' ? 'SYNTAX_ERROR' : codeName;
    this.code = CLICKHOUSE_CODES[codeName];
  }
}

/** An error that the engine gave, parsed. */
export class EngineError extends Error {
  override name = 'EngineError';
  readonly code: number;
  readonly codeName: string;

  constructor(code: number, codeName: string, text: string) {
    super(text);
    this.code = code;
    this.codeName = codeName;
  }
}

const WRAPPED = /^Code: \d+\. DB::(?:\w+)?Exception: (?=Code: \d+\. DB::)/;
const HEAD = /^Code: (\d+)\. (DB::\w*Exception): /;
const TAIL = /\.? \(version [^)]*\)\.?$/;
const NAME = /\(([A-Z][A-Z0-9_]{2,})\)\.?$/;
/** Where our temporary files show in a message: the engine reads inserts from them. */
const OUR_FILES = [
  /: \(in file\/uri [^)]*\)/g,
  /: While executing File(?=[:.]|$)/g,
  /: data for INSERT was parsed from file/g,
];
const OUR_CLAUSE =
  /\s*INTO OUTFILE '[^']*' TRUNCATE(?: COMPRESSION '\w+')?(?:\s+FORMAT \w+)?(?:\s*$)?/g;

/** `message` as thrown by the addon → an error without wrapping, versions and our paths. */
export function parseEngineError(message: string): EngineError {
  let text = message.trim();
  while (WRAPPED.test(text)) text = text.replace(WRAPPED, '');
  const code = Number(HEAD.exec(text)?.[1] ?? CLICKHOUSE_CODES.POCO_EXCEPTION);
  text = text.replace(HEAD, '');
  let codeName = 'POCO_EXCEPTION';
  // The engine appends "(NAME) (version …). (NAME)" once per wrapping.
  for (;;) {
    const name = NAME.exec(text);
    if (name) {
      codeName = name[1]!;
      text = text.slice(0, name.index).trimEnd();
    } else if (TAIL.test(text)) {
      text = text.replace(TAIL, '').trimEnd();
    } else break;
  }
  for (const ours of OUR_FILES) text = text.replace(ours, '');
  text = text.replace(OUR_CLAUSE, ' ');
  return new EngineError(code, codeName, text.replace(/\.+\s*$/, ''));
}

export function toClickHouseError(error: unknown): ClickHouseError | EngineError {
  if (error instanceof ClickHouseError || error instanceof EngineError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if ((error as NodeJS.ErrnoException)?.code === 'ENOSPC') {
    return new ClickHouseError('NOT_ENOUGH_SPACE', 'The disk has no room left for this request');
  }
  const zlibCode = (error as NodeJS.ErrnoException)?.code ?? '';
  if (/^(Z_|ERR__ERROR|ERR_BROTLI|ERR_ZSTD)/.test(zlibCode)) {
    return new ClickHouseError('CANNOT_DECOMPRESS', `Cannot decompress the request body: ${text}`);
  }
  return new EngineError(CLICKHOUSE_CODES.POCO_EXCEPTION, 'POCO_EXCEPTION', text);
}

/** The line a client reads. */
export function errorText(error: ClickHouseError | EngineError, version: string): string {
  const text = error.message.replace(/\.$/, '');
  return `Code: ${error.code}. DB::Exception: ${text}. (${error.codeName}) (version ${version})\n`;
}

const BAD_REQUEST = [
  36, 6, 25, 26, 38, 41, 72, 427, 441, 442, 27, 376, 15, 44, 161, 237, 8, 167, 168, 169, 62, 117,
  53, 321,
];
const NOT_FOUND = [60, 46, 47, 50, 56, 81, 115, 119, 63, 73, 336, 98, 511];
const FORBIDDEN = [192, 193, 516, 512, 497];

/** ClickHouse's own table (exceptionCodeToHTTPStatus), by code. */
const STATUS_BY_CODE: ReadonlyMap<number, number> = new Map([
  ...BAD_REQUEST.map((code) => [code, 400] as const),
  ...NOT_FOUND.map((code) => [code, 404] as const),
  ...FORBIDDEN.map((code) => [code, 403] as const),
  [194, 401],
  [214, 413],
  [48, 501],
  [209, 503],
  [76, 503],
  [439, 503],
  [381, 411],
  [159, 408],
  [725, 415],
]);

export function httpStatus(code: number): number {
  return STATUS_BY_CODE.get(code) ?? 500;
}
