/**
 * What the read-only user may send. Three layers, each of which alone has holes (ENGINES §2):
 *
 *  1. the engine's own classification: exactly one statement, which only reads;
 *  2. the query tree of the statement names no function that reaches files or the network. The
 *     engine has no privilege for the scalar function `file`, and aliases, lambdas and APPLY hide
 *     it from any look at the text, so the tree decides;
 *  3. the connection has dropped the administrator's role and is `readonly = 1`: the engine refuses
 *     writes, table functions that reach out, and changes of settings.
 *
 * In: a request of the read-only user. Out: nothing, or a ClickHouse error. It defends against
 * honest analysts and curious ones; a hostile one belongs on a server of its own.
 */
import { CLASS_READ, type Connection, quote } from './chdb.ts';
import { ClickHouseError, EngineError } from './http/status.ts';
import type { Statement, Token } from './statement.ts';

/** Settings the read-only user may send; with `readonly = 1` a server takes none. */
const SETTINGS_ALLOWED = new Set([
  'add_http_cors_header',
  'aggregate_functions_null_for_empty',
  'cancel_http_readonly_queries_on_client_close',
  'date_time_input_format',
  'date_time_output_format',
  'extremes',
  'final',
  'http_headers_progress_interval_ms',
  'http_response_buffer_size',
  'http_write_exception_in_output_format',
  'join_use_nulls',
  'limit',
  'log_queries',
  'max_block_size',
  'max_bytes_to_read',
  'max_estimated_execution_time',
  'max_execution_time',
  'max_memory_usage',
  'max_result_bytes',
  'max_result_rows',
  'max_rows_to_read',
  'max_threads',
  'offset',
  'prefer_column_name_to_alias',
  'query_plan_max_step_description_length',
  'read_overflow_mode',
  'result_overflow_mode',
  'send_progress_in_http_headers',
  'session_timezone',
  'timeout_overflow_mode',
]);
const SETTING_FAMILIES = /^(output_format_|format_csv_|bool_(true|false)_representation$)/;
/** Members of those families that name files. */
const SETTINGS_REFUSED = /schema|path|template/;

/** Table functions that compute from their arguments or read tables; all others reach out. */
const TABLE_FUNCTIONS_ALLOWED = new Set([
  'dictionary',
  'generaterandom',
  'generate_series',
  'generateseries',
  'merge',
  'mergetreeindex',
  'mergetreeprojection',
  'null',
  'numbers',
  'numbers_mt',
  'primes',
  'values',
  'view',
  'viewifpermitted',
  'zeros',
  'zeros_mt',
]);

/** Scalar functions that reach files, the network or a model server. */
const FUNCTIONS_REFUSED = new Set([
  'addresstoline',
  'addresstolinewithinlines',
  'addresstosymbol',
  'catboostevaluate',
  'executable',
  'file',
  'remote',
  'reversednsquery',
  's3',
  'showcertificate',
  'url',
]);
/** aiGenerate, aiEmbed and their like ask a model server. */
const FUNCTION_FAMILY_REFUSED = /^ai[_a-z]+$/;

/** Throws when `name` may not be set; tells whether to send it to the engine. */
export function allowSetting(name: string, value: string): boolean {
  if (name === 'readonly') {
    if (value === '1') return false;
    throw new ClickHouseError('READONLY', "Cannot modify 'readonly' setting in readonly mode");
  }
  const allowed = SETTINGS_ALLOWED.has(name) || SETTING_FAMILIES.test(name);
  if (allowed && !SETTINGS_REFUSED.test(name)) return true;
  throw new ClickHouseError('READONLY', `Cannot modify '${name}' setting in readonly mode`);
}

/** `connection` must already be the restricted one of this request, with its parameters set. */
export async function guard(
  connection: Connection,
  statement: Statement,
  user: string,
): Promise<void> {
  const refused = () =>
    new ClickHouseError('READONLY', `${user}: Cannot execute query in readonly mode`);
  const reads = statement.kind === 'rows' || statement.kind === 'show';
  if (statement.multiple || !reads) throw refused();
  const text = toUtf8(statement.sql.slice(0, statement.end));
  const { statementCount, queryClass } = await connection.classify(text);
  if (statementCount === 0) throw await syntaxError(connection, text);
  if (statementCount !== 1 || queryClass !== CLASS_READ) throw refused();
  const { tokens, sql } = statement;
  if (tokens.some((token) => nameOf(sql, token) === 'file')) throw denied('file');
  const select = selectInside(statement);
  if (select !== undefined) await checkTree(connection, select);
  else refuseCalls(tokens);
}

/**
 * Words a syntax error from the text as it was sent. `formatQuery` parses and nothing else, so it
 * may see a text that was not classified.
 */
export async function syntaxError(connection: Connection, text: string): Promise<ClickHouseError> {
  let message = 'Syntax error: the statement cannot be read';
  try {
    await connection.run(`SELECT formatQuery(${quote(text)})`, 'TSVRaw');
  } catch (error) {
    const found = /Syntax error[\s\S]*?(?=:? ?(?:In scope|while executing)|$)/i.exec(String(error));
    message = found?.[0] ?? message;
  }
  return new ClickHouseError('SYNTAX_ERROR', message);
}

function denied(name: string): ClickHouseError {
  const text = `The read-only user may not use '${name}': it reaches files or the network`;
  return new ClickHouseError('ACCESS_DENIED', text);
}

/** The name a word or quoted identifier stands for, in lower case. */
function nameOf(sql: string, token: Token): string {
  if (token.kind === 'word') return token.upper.toLowerCase();
  if (token.kind !== 'quoted') return '';
  return unescaped(sql.slice(token.start + 1, token.end - 1)).toLowerCase();
}

function unescaped(text: string): string {
  return text.replace(/\\(x[0-9a-fA-F]{2}|.)/g, (_all, code: string) =>
    /^x./.test(code) ? String.fromCharCode(Number.parseInt(code.slice(1), 16)) : code,
  );
}

const SELECT_BEGINS = ['SELECT', 'WITH', 'FROM'];
const EXPLAINABLE = ['AST', 'SYNTAX', 'QUERY', 'TREE', 'PLAN', 'PIPELINE', 'ESTIMATE'];

/** The SELECT whose tree is to be checked; undefined for SHOW, EXISTS, CHECK. */
function selectInside(statement: Statement): string | undefined {
  const { tokens, sql } = statement;
  const end = statement.body.length;
  const first = tokens[0]!.upper;
  if (first === '(' || SELECT_BEGINS.includes(first)) return sql.slice(0, end);
  if (first === 'EXPLAIN') {
    let i = 1;
    while (EXPLAINABLE.includes(tokens[i]?.upper ?? '')) i++;
    // `header = 1, actions = 1`: name, sign, value, comma
    while (tokens[i + 1]?.upper === '=') i += tokens[i + 3]?.upper === ',' ? 4 : 3;
    const begin = tokens[i];
    if (begin && (begin.upper === '(' || SELECT_BEGINS.includes(begin.upper))) {
      return sql.slice(begin.start, end);
    }
    throw new ClickHouseError('READONLY', 'The read-only user may only EXPLAIN a SELECT');
  }
  if (first === 'DESCRIBE' || first === 'DESC') {
    const target = tokens[1]?.upper === 'TABLE' ? tokens[2] : tokens[1];
    return `SELECT * FROM ${sql.slice(target?.start ?? end, end)}`;
  }
  return undefined;
}

/** Line of `EXPLAIN QUERY TREE`, such as `FUNCTION id: 4, function_name: file, …`. */
const FUNCTION_LINE = /\bfunction_name: ([^,\n]*)/g;
const TABLE_FUNCTION_LINE = /\btable_function_name: ([^,\n]*)/g;
const IDENTIFIER_LINE = /\bidentifier: ([^,\n]*)/g;

async function checkTree(connection: Connection, select: string): Promise<void> {
  const explain = 'EXPLAIN QUERY TREE run_passes = 0 ';
  let tree: string;
  try {
    const result = await connection.run(explain + toUtf8(select), 'TSVRaw');
    tree = result.bytes.toString('utf8');
  } catch (error) {
    throw movedBack(error, explain.length);
  }
  for (const [, name] of tree.matchAll(TABLE_FUNCTION_LINE)) {
    if (!TABLE_FUNCTIONS_ALLOWED.has(name!.toLowerCase())) throw denied(name!);
  }
  for (const [, name] of tree.matchAll(FUNCTION_LINE)) {
    const lower = name!.toLowerCase();
    const reaches = FUNCTIONS_REFUSED.has(lower) || FUNCTION_FAMILY_REFUSED.test(lower);
    if (reaches) throw denied(name!);
  }
  for (const [, name] of tree.matchAll(IDENTIFIER_LINE)) {
    if (name!.toLowerCase().split('.').includes('file')) throw denied('file');
  }
}

/** Positions in a syntax error count from the text the user sent, not from ours. */
function movedBack(error: unknown, bytes: number): unknown {
  if (!(error instanceof EngineError)) return error;
  const text = error.message.replace(/failed at position (\d+)/, (_all, position: string) => {
    return `failed at position ${Math.max(1, Number(position) - bytes)}`;
  });
  return new EngineError(error.code, error.codeName, text);
}

const WORDS_BEFORE_PARENTHESIS = ['IN', 'AND', 'OR', 'NOT', 'WHERE', 'LIKE', 'ILIKE'];

/** SHOW, EXISTS and CHECK have no query tree: they may not call any function. */
function refuseCalls(tokens: readonly Token[]): void {
  for (let i = 1; i < tokens.length; i++) {
    const before = tokens[i - 1]!;
    if (tokens[i]!.upper !== '(' || before.kind === 'punctuation') continue;
    if (before.kind === 'word' && WORDS_BEFORE_PARENTHESIS.includes(before.upper)) continue;
    const text = 'The read-only user may not call functions in SHOW, EXISTS or CHECK';
    throw new ClickHouseError('READONLY', text);
  }
}

export function toUtf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString('utf8');
}
