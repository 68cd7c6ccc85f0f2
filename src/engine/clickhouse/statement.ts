/**
 * Reads just enough SQL to route a request: tokens as ClickHouse's lexer cuts them, the kind of the
 * statement, its FORMAT and SETTINGS tail, and where the data of an INSERT begins. In: the text as
 * a latin1 string, so that offsets are byte offsets. Out: offsets into it. It knows nothing of
 * meaning: what a statement may do is decided by the engine and by guard.ts.
 *
 * Invariant: a semicolon, keyword or parenthesis inside a string, a quoted name, a here-document or
 * a comment is never taken for one.
 */
export type TokenKind = 'word' | 'quoted' | 'string' | 'punctuation';

export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Upper-case text of a word or punctuation; '' for the others. */
  readonly upper: string;
  /** Parentheses, brackets and braces open before it. */
  readonly depth: number;
}

const SPACE = /[\s\0]/;
const WORD = /[A-Za-z0-9_$\x80-\xff]/;
/** UTF-8 bytes of ‘ ’ “ ” as latin1: the lexer takes them for quotes. */
const SMART_QUOTES: Readonly<Record<string, readonly [close: string, kind: TokenKind]>> = {
  '\xe2\x80\x98': ['\xe2\x80\x99', 'string'],
  '\xe2\x80\x9c': ['\xe2\x80\x9d', 'quoted'],
};

/** Tokens up to the end, up to an unfinished one, or until `enough` says so of the last ones. */
export function tokenize(sql: string, enough?: (tokens: readonly Token[]) => boolean): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  let at = 0;
  for (;;) {
    at = skipBlank(sql, at);
    if (at < 0 || at >= sql.length) return tokens;
    const token = readToken(sql, at, depth);
    if (!token) return tokens;
    if (token.upper === ')' || token.upper === ']' || token.upper === '}') {
      depth = Math.max(0, depth - 1);
      tokens.push({ ...token, depth });
    } else {
      tokens.push(token);
      if (token.upper === '(' || token.upper === '[' || token.upper === '{') depth++;
    }
    at = token.end;
    if (enough?.(tokens)) return tokens;
  }
}

/** Past white space and comments; -1 when a comment does not end. */
function skipBlank(sql: string, at: number): number {
  for (;;) {
    while (at < sql.length && SPACE.test(sql[at]!)) at++;
    const two = sql.slice(at, at + 2);
    if (two === '--' || two === '# ' || two === '#!') {
      const end = sql.indexOf('\n', at);
      at = end < 0 ? sql.length : end + 1;
    } else if (two === '/*') {
      const end = sql.indexOf('*/', at + 2);
      if (end < 0) return -1;
      at = end + 2;
    } else if (sql.startsWith('\xc2\xa0', at)) {
      at += 2; // no-break space
    } else return at;
  }
}

function readToken(sql: string, at: number, depth: number): Token | undefined {
  const first = sql[at]!;
  if (first === "'" || first === '"' || first === '`') {
    const end = quoteEnd(sql, at, first);
    const kind = first === "'" ? 'string' : 'quoted';
    return end < 0 ? undefined : { kind, start: at, end, upper: '', depth };
  }
  const smart = SMART_QUOTES[sql.slice(at, at + 3)];
  if (smart) {
    const end = sql.indexOf(smart[0], at + 3);
    return end < 0 ? undefined : { kind: smart[1], start: at, end: end + 3, upper: '', depth };
  }
  if (first === '$') {
    const tag = /^\$\w*\$/.exec(sql.slice(at, at + 128))?.[0];
    if (tag) {
      const end = sql.indexOf(tag, at + tag.length);
      if (end < 0) return undefined;
      return { kind: 'string', start: at, end: end + tag.length, upper: '', depth };
    }
  }
  let end = at + 1;
  if (WORD.test(first)) {
    while (end < sql.length && WORD.test(sql[end]!)) end++;
    return { kind: 'word', start: at, end, upper: sql.slice(at, end).toUpperCase(), depth };
  }
  return { kind: 'punctuation', start: at, end, upper: first, depth };
}

function quoteEnd(sql: string, at: number, quote: string): number {
  for (let i = at + 1; i < sql.length; i++) {
    if (sql[i] === '\\') i++;
    else if (sql[i] === quote) {
      if (sql[i + 1] === quote) i++;
      else return i + 1;
    }
  }
  return -1;
}

/**
 * `rows`: any number of rows, streamed; `show`: SHOW, DESCRIBE, EXPLAIN …, which the engine
 * rewrites on the way and which cannot write INTO OUTFILE; `insert`; `other`: DDL, SET,
 * SYSTEM, KILL …
 */
export type StatementKind = 'empty' | 'rows' | 'show' | 'insert' | 'other';

const ROWS = ['SELECT', 'WITH', 'FROM'];
const SHOW = ['SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'EXISTS', 'CHECK'];

export interface Statement {
  readonly kind: StatementKind;
  readonly sql: string;
  readonly tokens: readonly Token[];
  /** A second statement follows. */
  readonly multiple: boolean;
  /** Offset behind the last token that is not a semicolon. */
  readonly end: number;
  /** The FORMAT the text asks for. */
  readonly format: string | undefined;
  /** The text without FORMAT, SETTINGS tail and semicolon. */
  readonly body: string;
  /** From the SETTINGS tail on, or ''. */
  readonly settings: string;
}

export function readStatement(sql: string): Statement {
  const all = tokenize(sql);
  const stop = all.findIndex((token) => token.upper === ';' && token.depth === 0);
  const tokens = stop < 0 ? all : all.slice(0, stop);
  const multiple = stop >= 0 && all.slice(stop).some((token) => token.upper !== ';');
  // An unfinished last token is left to the engine, which words the error.
  const end = stop < 0 ? sql.length : (tokens.at(-1)?.end ?? 0);
  const kind = kindOf(tokens, sql);
  const tail = kind === 'insert' ? {} : readTail(sql, tokens);
  const bodyEnd = Math.min(tail.formatAt ?? end, tail.settingsAt ?? end);
  const settings =
    tail.settingsAt === undefined ? '' : sql.slice(tail.settingsAt, tail.settingsTo ?? end);
  return {
    kind,
    sql,
    tokens,
    multiple,
    end,
    format: tail.format,
    body: sql.slice(0, bodyEnd),
    settings,
  };
}

function kindOf(tokens: readonly Token[], sql: string): StatementKind {
  const first = tokens.find((token) => token.upper !== '(');
  if (!first) return sql.trim() === '' || tokens.length === 0 ? 'empty' : 'other';
  if (first.upper === 'INSERT') return 'insert';
  if (SHOW.includes(first.upper)) return 'show';
  if (!ROWS.includes(first.upper)) return 'other';
  const writes =
    first.upper === 'WITH' && tokens.some((token) => token.depth === 0 && token.upper === 'INSERT');
  return writes ? 'other' : 'rows';
}

interface Tail {
  format?: string;
  formatAt?: number;
  settingsAt?: number;
  settingsTo?: number;
}

const SET_OPERATIONS = ['UNION', 'INTERSECT', 'EXCEPT', 'SELECT'];

/** `… [SETTINGS a = 1] [FORMAT X] [SETTINGS b = 2]` at the end of a statement. */
function readTail(sql: string, tokens: readonly Token[]): Tail {
  const tail: Tail = {};
  const top = tokens.filter((token) => token.depth === 0);
  for (let i = top.length - 1; i > 0; i--) {
    const token = top[i]!;
    if (SET_OPERATIONS.includes(token.upper)) break;
    const next = top[i + 1];
    if (token.upper === 'FORMAT' && next?.kind === 'word' && tail.format === undefined) {
      const after = top[i + 2];
      if (after && after.upper !== 'SETTINGS') continue;
      tail.format = sql.slice(next.start, next.end);
      tail.formatAt = token.start;
    } else if (token.upper === 'SETTINGS' && next?.kind === 'word' && top[i + 2]?.upper === '=') {
      if (tail.settingsAt !== undefined) break; // SETTINGS before and behind FORMAT: keep the last
      tail.settingsAt = token.start;
      if (tail.formatAt !== undefined) tail.settingsTo = tail.formatAt;
    }
  }
  return tail;
}

export interface InsertHead {
  /** `INSERT INTO t (a, b)`, up to SETTINGS, FORMAT or VALUES. */
  readonly target: string;
  /** `a = 1, b = 2` of its SETTINGS clause, or ''. */
  readonly settings: string;
  readonly format: string;
  /** Where the data begins; beyond the end when the rest is still to come. */
  readonly dataAt: number;
}

/** `query`: INSERT … SELECT and its like, no data; `infile`: FROM INFILE; `more`: cut off. */
export type InsertShape = InsertHead | 'query' | 'infile' | 'more';

/** `complete` says that no more text follows `sql`. */
export function readInsert(sql: string, complete: boolean): InsertShape {
  const tokens = tokenize(sql, reachedData);
  let settingsAt: Token | undefined;
  for (let i = 1; i < tokens.length; i++) {
    const token = tokens[i]!;
    if (token.depth > 0 || token.kind !== 'word') continue;
    const next = tokens[i + 1];
    if (isName(tokens, i)) continue;
    if (token.upper === 'SETTINGS') settingsAt ??= token;
    else if (token.upper === 'VALUES') {
      return head(sql, { from: token, settingsAt, format: 'Values', dataAt: token.end });
    } else if (token.upper === 'FORMAT') {
      if (next?.kind !== 'word') return complete ? 'query' : 'more';
      if (!complete && next.end === sql.length) return 'more'; // the name may go on
      const format = sql.slice(next.start, next.end);
      return head(sql, { from: token, settingsAt, format, dataAt: dataBegin(sql, next.end) });
    } else if (token.upper === 'FROM' && next?.upper === 'INFILE') return 'infile';
    else if (token.upper === 'SELECT' || token.upper === 'WITH' || token.upper === 'WATCH') {
      return 'query';
    }
  }
  return complete ? 'query' : 'more';
}

/** The data of an INSERT may be megabytes of anything: do not cut them into tokens. */
function reachedData(tokens: readonly Token[]): boolean {
  const last = tokens.length - 1;
  const named = (i: number, word: string) =>
    tokens[i]?.upper === word && tokens[i]?.depth === 0 && !isName(tokens, i);
  // A dot behind VALUES or FORMAT would make it a name: one token more is needed to know.
  return named(last - 2, 'FORMAT') || named(last - 1, 'VALUES') || named(last - 1, 'SELECT');
}

/** A word that is part of a table name: `INTO format`, `db.values`, `FUNCTION x`. */
function isName(tokens: readonly Token[], i: number): boolean {
  const before = tokens[i - 1]?.upper;
  if (before === '.' || tokens[i + 1]?.upper === '.') return true;
  return before === 'INTO' || before === 'TABLE' || before === 'FUNCTION';
}

interface HeadParts {
  readonly from: Token;
  readonly settingsAt: Token | undefined;
  readonly format: string;
  readonly dataAt: number;
}

function head(sql: string, parts: HeadParts): InsertHead {
  const { from, settingsAt, format, dataAt } = parts;
  const target = sql.slice(0, settingsAt?.start ?? from.start).trimEnd();
  const settings = settingsAt ? sql.slice(settingsAt.end, from.start).trim() : '';
  return { target, settings, format, dataAt };
}

/** Data begins behind the first line break after the format name, or at the first other byte. */
function dataBegin(sql: string, at: number): number {
  while (at < sql.length && (sql[at] === ' ' || sql[at] === '\t' || sql[at] === '\f')) at++;
  if (sql[at] === ';') at++;
  while (at < sql.length && (sql[at] === ' ' || sql[at] === '\t')) at++;
  if (sql[at] === '\r') at++;
  if (sql[at] === '\n') at++;
  return at;
}
