/**
 * Reads a UCUM code (https://ucum.org/ucum) exactly. The tables are those of ucum-lhc; its
 * arithmetic is in doubles, step by step, so ours is done here in fractions: definitions are
 * followed down to the base units. In: a code such as '[mi_i]/h'. Out: factor and offset to base
 * units (value · factor + offset) and the exponents of the base units; or what is wrong with the
 * code.
 *
 *   term      = ['/'] component (('.' | '/') component)*        read from left to right
 *   component = '(' term ')' | {annotation} | digits | [prefix] atom [exponent] [{annotation}]
 */
import {
  add,
  decimal,
  divide,
  multiply,
  ONE,
  power,
  type Rational,
  rational,
  ZERO,
} from './rational.ts';
import { type UcumUnit, unitTables } from './ucum.ts';

export interface Unit {
  readonly factor: Rational;
  readonly offset: Rational;
  /** Base unit → exponent ≠ 0. An arbitrary unit such as [IU] is a base of its own. */
  readonly bases: ReadonlyMap<string, number>;
  /** Not of the form a·x + b (logarithms, pH …): the code itself; only equal codes agree. */
  readonly opaque: string | null;
}

export class UnitError extends Error {
  override name = 'UnitError';
}

/** Longer codes are refused before they are read. */
const CODE_LENGTH_MAX = 64;
/** UCUM sets no limit; nothing real comes near, and bigints stay small. */
const EXPONENT_MAX = 30;

const PREFIXES: Readonly<Record<string, string>> = {
  Y: '1e24',
  Z: '1e21',
  E: '1e18',
  P: '1e15',
  T: '1e12',
  G: '1e9',
  M: '1e6',
  k: '1e3',
  h: '1e2',
  da: '1e1',
  d: '1e-1',
  c: '1e-2',
  m: '1e-3',
  u: '1e-6',
  n: '1e-9',
  p: '1e-12',
  f: '1e-15',
  a: '1e-18',
  z: '1e-21',
  y: '1e-24',
  Ki: '1024',
  Mi: '1048576',
  Gi: '1073741824',
  Ti: '1099511627776',
}; // prettier-ignore

/** Temperatures: kelvin = factor · x + offset. The other special units are not linear. */
const AFFINE: Readonly<Record<string, { factor: Rational; offset: Rational }>> = {
  Cel: { factor: ONE, offset: decimal('273.15') },
  '[degF]': { factor: rational(5n, 9n), offset: multiply(decimal('459.67'), rational(5n, 9n)) },
  '[degRe]': { factor: rational(5n, 4n), offset: decimal('273.15') },
};

/** Definitions that the tables have lost a part of, written as the standard has them. */
const REDEFINED: Readonly<Record<string, string>> = {
  '[diop]': '/m',
  '[mesh_i]': '/[in_i]',
  Bd: '/s',
  '[mu_0]': '4.[pi].10*-7.N/A2',
  Oe: '250/[pi].A/m',
  '[S]': '10*-13.s',
};

const dimensionless: Unit = { factor: ONE, offset: ZERO, bases: new Map(), opaque: null };

/** Throws UnitError. */
export function readUnit(code: string): Unit {
  if (code.length > CODE_LENGTH_MAX) throw new UnitError(`is longer than ${CODE_LENGTH_MAX}`);
  if (!/^[!-~]+$/.test(code)) {
    throw new UnitError('is not a UCUM code: those have printable ASCII characters only');
  }
  const reader = new CodeReader(code);
  const unit = reader.term();
  if (!reader.ended) throw new UnitError(`has something unexpected at '${reader.rest}'`);
  return unit;
}

class CodeReader {
  #at = 0;
  readonly #code: string;

  constructor(code: string) {
    this.#code = code;
  }

  get ended(): boolean {
    return this.#at === this.#code.length;
  }

  get rest(): string {
    return this.#code.slice(this.#at);
  }

  term(): Unit {
    let unit = this.#take('/') ? quotient(dimensionless, this.#component()) : this.#component();
    for (;;) {
      if (this.#take('.')) unit = product(unit, this.#component());
      else if (this.#take('/')) unit = quotient(unit, this.#component());
      else return unit;
    }
  }

  #component(): Unit {
    if (this.#take('(')) {
      const unit = this.term();
      if (!this.#take(')')) throw new UnitError('lacks a closing parenthesis');
      return unit;
    }
    if (this.#annotation()) return dimensionless;
    const digits = this.#match(/^[1-9][0-9]{0,17}(?![0-9*^])/);
    if (digits !== null) {
      this.#annotation();
      return { ...dimensionless, factor: decimal(digits) };
    }
    const symbol = this.#match(/^(10\*|10\^|(?:[^\s./(){}0-9+[\]-]|\[[^\]]+\])+)/);
    if (symbol === null) throw new UnitError(`lacks a unit at '${this.rest}'`);
    const exponent = this.#match(/^[+-]?[1-9][0-9]?/);
    this.#annotation();
    return exponent === null ? readAtom(symbol) : raise(readAtom(symbol), Number(exponent));
  }

  #annotation(): boolean {
    return this.#match(/^\{[^{}]*\}/) !== null;
  }

  #take(text: string): boolean {
    if (!this.rest.startsWith(text)) return false;
    this.#at += text.length;
    return true;
  }

  #match(pattern: RegExp): string | null {
    const found = pattern.exec(this.rest)?.[0] ?? null;
    this.#at += found?.length ?? 0;
    return found;
  }
}

/** A unit of the table, else a prefix and a metric one. */
function readAtom(symbol: string): Unit {
  const entry = findEntry(symbol);
  if (entry !== null) return define(symbol, entry);
  for (const length of [2, 1]) {
    const prefix = symbol.slice(0, length);
    const rest = symbol.slice(length);
    if (!Object.hasOwn(PREFIXES, prefix) || rest === '') continue;
    const metric = findEntry(rest);
    if (metric === null || !(metric.isMetric_ || metric.isBase_)) continue;
    const unit = define(rest, metric);
    if (unit.opaque !== null) return { ...unit, opaque: symbol };
    return { ...unit, factor: multiply(unit.factor, decimal(PREFIXES[prefix])) };
  }
  throw new UnitError(`is not a UCUM code: there is no unit '${symbol}'`);
}

/**
 * The tables also hold composed units (source LOINC, or none for those cached when they were asked
 * for), whose definitions do not stand for themselves.
 */
function findEntry(symbol: string): UcumUnit | null {
  const entry = unitTables().getUnitByCode(symbol);
  const own = entry?.csCode_ === symbol && entry.source_ === 'UCUM';
  return own ? entry : null;
}

function define(symbol: string, entry: UcumUnit): Unit {
  if (Object.hasOwn(AFFINE, symbol)) {
    return { ...AFFINE[symbol], bases: new Map([['K', 1]]), opaque: null };
  }
  if (entry.isBase_ || entry.isArbitrary_) {
    return { ...dimensionless, bases: new Map([[symbol, 1]]) };
  }
  if (Object.hasOwn(REDEFINED, symbol)) return readUnit(REDEFINED[symbol]);
  if (entry.isSpecial_ || entry.csUnitString_ === null) {
    return { ...dimensionless, opaque: symbol };
  }
  const base = entry.csUnitString_ === '1' ? dimensionless : readUnit(entry.csUnitString_);
  const times = decimal(entry.baseFactorStr_ ?? String(entry.baseFactor_));
  return { ...base, factor: multiply(base.factor, times) };
}

function product(left: Unit, right: Unit): Unit {
  return combine(left, right, 1);
}

function quotient(left: Unit, right: Unit): Unit {
  return combine(left, right, -1);
}

function combine(left: Unit, right: Unit, sign: 1 | -1): Unit {
  for (const unit of [left, right]) requireRatio(unit);
  const bases = new Map(left.bases);
  for (const [base, exponent] of right.bases) {
    const sum = (bases.get(base) ?? 0) + sign * exponent;
    if (sum === 0) bases.delete(base);
    else bases.set(base, sum);
  }
  const factor = (sign === 1 ? multiply : divide)(left.factor, right.factor);
  return { factor, offset: ZERO, bases, opaque: null };
}

function raise(unit: Unit, exponent: number): Unit {
  requireRatio(unit);
  if (Math.abs(exponent) > EXPONENT_MAX)
    throw new UnitError(`has an exponent over ${EXPONENT_MAX}`);
  const bases = new Map([...unit.bases].map(([base, own]) => [base, own * exponent]));
  return { factor: power(unit.factor, exponent), offset: ZERO, bases, opaque: null };
}

/** Degrees Celsius per hour means nothing exact: a difference is meant, so kelvin. */
function requireRatio(unit: Unit): void {
  if (unit.opaque === null && unit.offset.numerator === 0n) return;
  throw new UnitError(
    'has a scale with an offset or a logarithm within a product (use K, not Cel)',
  );
}

/**
 * canonical = scale · raw + offset, from one unit to another; null when they measure other things.
 */
export function affine(from: Unit, to: Unit): { scale: Rational; offset: Rational } | null {
  if (from.opaque !== to.opaque || !sameBases(from.bases, to.bases)) return null;
  const difference = add(from.offset, { ...to.offset, numerator: -to.offset.numerator });
  return { scale: divide(from.factor, to.factor), offset: divide(difference, to.factor) };
}

function sameBases(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>) {
  return left.size === right.size && [...left].every(([base, own]) => right.get(base) === own);
}

/** 'm.s-1', '1'. */
export function basesText({ bases, opaque }: Unit): string {
  if (opaque !== null) return `${opaque} (not linear)`;
  const parts = [...bases].map(([base, exponent]) =>
    exponent === 1 ? base : `${base}${exponent}`,
  );
  return parts.length === 0 ? '1' : parts.sort().join('.');
}
