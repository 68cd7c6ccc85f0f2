/**
 * JSON for the reference: JSON.parse decides what is valid, and a plain recursive reading beside it
 * keeps where each value lies (byte offsets), finds members given twice and measures the depth.
 * In: payload bytes. Out: a tree of nodes, or Malformed, or TooDeep when it is nothing worse.
 */
import { JSON_DEPTH_MAX } from '../../../assembly/shared/abi.ts';
import { assert } from '../../../src/base/assert.ts';
import { Malformed } from './protobuf.ts';

export class TooDeep extends Malformed {}

export interface Node {
  readonly kind: 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';
  readonly start: number;
  /** As written; of a number, its digits. */
  readonly text: string;
  /** What JSON.parse makes of strings and booleans. */
  readonly value: unknown;
  /** The last of each name. */
  readonly members: ReadonlyMap<string, Node>;
  /** Of an object, all in order. */
  readonly entries: readonly Entry[];
  /** Of an array. */
  readonly elements: readonly Node[];
}

export interface Entry {
  readonly key: string;
  readonly keyAt: number;
  readonly node: Node;
}

/** Whether a member may be given only once: its path is (the beginning of) a declared one. */
export type Declared = (path: readonly string[]) => boolean;

/** Nesting that this reader follows: its own stack ends there. */
const DEPTH_READ = 1000;

/** In paths for Declared: any element of an array. */
export const ELEMENT = '\0element';
/** Where nothing is declared. */
const NOWHERE: readonly string[] = ['\0nowhere'];
const NOTHING = { members: new Map<string, Node>(), entries: [], elements: [] };

/** `check` refuses (Malformed) what is JSON but not what the format allows: depth comes after. */
export function readJson(
  payload: Uint8Array,
  declared: Declared,
  check: (root: Node) => void = () => {},
): Node {
  const valid = isValid(payload);
  let reader: Reader | undefined;
  let isJson = false;
  try {
    reader = new Reader(payload, declared);
    const root = reader.document();
    assert(valid, 'JSON.parse refuses what the reference reader accepts');
    isJson = true;
    check(root);
    if (reader.deepAt !== null) throw new TooDeep(reader.deepAt);
    return root;
  } catch (error) {
    if (!(error instanceof Malformed)) throw error;
    const twice = reader?.metTwice === true;
    assert(
      isJson || !valid || twice || error instanceof TooDeep,
      'JSON.parse accepts what was refused',
    );
    throw error;
  }
}

function isValid(payload: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload));
    return true;
  } catch {
    return false;
  }
}

class Reader {
  at = 0;
  metTwice = false;
  deepAt: number | null = null;
  private readonly bytes: Uint8Array;
  private readonly latin: string;
  private readonly declared: Declared;

  constructor(bytes: Uint8Array, declared: Declared) {
    this.bytes = bytes;
    this.latin = Buffer.from(bytes).toString('latin1');
    this.declared = declared;
  }

  document(): Node {
    const root = this.value([], 0);
    this.space();
    if (this.at < this.bytes.length) throw new Malformed(this.at);
    return root;
  }

  private value(path: readonly string[], depth: number): Node {
    this.space();
    const start = this.at;
    const first = this.latin[start];
    if (first === '{' || first === '[') {
      if (depth === JSON_DEPTH_MAX) this.deepAt ??= start;
      if (depth === DEPTH_READ) throw this.beyond();
      return first === '{' ? this.object(path, depth + 1) : this.array(path, depth + 1);
    }
    if (first === '"') return this.leaf('string', this.string());
    const literal = this.token(/true|false|null/y, /t(r(ue?)?)?|f(a(l(se?)?)?)?|n(u(ll?)?)?/y);
    if (literal === 'null') return this.leaf('null', literal);
    if (literal !== '') return this.leaf('boolean', literal);
    const digits = this.token(
      /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y,
      /-?((0|[1-9][0-9]*)(\.(?![0-9])|(\.[0-9]+)?([eE][+-]?[0-9]*)?))?/y,
    );
    if (digits === '') throw new Malformed(start);
    return this.leaf('number', digits);
  }

  /** A whole token, '' when none begins here; Malformed behind the longest beginning of one. */
  private token(whole: RegExp, beginning: RegExp): string {
    const start = this.at;
    const begun = this.match(beginning) ?? '';
    this.at = start;
    const text = this.match(whole) ?? '';
    if (text.length < begun.length) throw new Malformed(start + begun.length);
    return text;
  }

  /** Too deep to be read here: what JSON.parse says, and where is not known exactly. */
  private beyond(): Malformed {
    const isWhole = isValid(this.bytes);
    return isWhole ? new TooDeep(this.deepAt ?? 0) : new Malformed(this.bytes.length);
  }

  private leaf(kind: Node['kind'], text: string): Node {
    const start = this.at - text.length;
    const written = Buffer.from(text, 'latin1').toString('utf8');
    return { kind, start, text, value: JSON.parse(written), ...NOTHING };
  }

  private object(path: readonly string[], depth: number): Node {
    const start = this.at;
    const members = new Map<string, Node>();
    const entries: Entry[] = [];
    this.at += 1;
    if (!this.skip('}')) {
      do {
        this.space();
        const keyAt = this.at;
        const key = JSON.parse(Buffer.from(this.string(), 'latin1').toString('utf8')) as string;
        const inner = path === NOWHERE ? NOWHERE : [...path, key];
        if (members.has(key) && this.declared(inner)) {
          this.metTwice = true;
          throw new Malformed(keyAt);
        }
        this.expect(':');
        const node = this.value(inner, depth);
        members.set(key, node);
        entries.push({ key, keyAt, node });
      } while (this.skip(','));
      this.expect('}');
    }
    return {
      ...{ kind: 'object', start, text: '', value: undefined },
      ...NOTHING,
      members,
      entries,
    };
  }

  private array(path: readonly string[], depth: number): Node {
    const start = this.at;
    const elements: Node[] = [];
    const inner = [...path, ELEMENT];
    const element = this.declared(inner) ? inner : NOWHERE;
    this.at += 1;
    if (!this.skip(']')) {
      do elements.push(this.value(element, depth));
      while (this.skip(','));
      this.expect(']');
    }
    return { ...{ kind: 'array', start, text: '', value: undefined }, ...NOTHING, elements };
  }

  /** A string with its quotes, as written. */
  private string(): string {
    const start = this.at;
    const inside = /"([^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*/y;
    if (this.match(inside) === null) throw new Malformed(start);
    this.checkUtf8(start, this.at);
    if (this.match(/"/y) === null) {
      this.match(/\\(u[0-9a-fA-F]{0,3})?/y);
      throw new Malformed(this.at);
    }
    return this.latin.slice(start, this.at);
  }

  /** Byte by byte, so that the first one that cannot be is known; a character may end too early. */
  private checkUtf8(start: number, end: number): void {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    for (let at = start; at <= end; at += 1) {
      try {
        if (at < this.bytes.length)
          decoder.decode(this.bytes.subarray(at, at + 1), { stream: true });
      } catch {
        throw new Malformed(at);
      }
    }
  }

  private match(pattern: RegExp): string | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.latin)?.[0] ?? null;
    if (found !== null) this.at += found.length;
    return found;
  }

  private space(): void {
    this.match(/[ \t\n\r]*/y);
  }

  private skip(character: string): boolean {
    this.space();
    if (this.latin[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  private expect(character: string): void {
    if (!this.skip(character)) throw new Malformed(this.at);
  }
}

/** The value at a path of member names; undefined when absent or null. */
export function find(root: Node, path: readonly string[]): Node | undefined {
  if (path.length === 0) return undefined;
  let node: Node | undefined = root;
  for (const name of path) node = node?.members.get(name);
  return node === undefined || node.kind === 'null' ? undefined : node;
}
