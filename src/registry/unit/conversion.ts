/**
 * From the unit a device sends to the canonical one. In: two UCUM codes. Out: the numbers of
 * canonical = scale · raw + offset, each the double nearest to the exact value; or what is wrong.
 */
import { toNumber } from './rational.ts';
import { suggestUnit } from './ucum.ts';
import { affine, basesText, readUnit, type Unit, UnitError } from './unit.ts';

export interface Conversion {
  readonly scale: number;
  readonly offset: number;
}

export interface UnitProblem {
  readonly what: string;
  readonly near?: string;
}

/** What people write instead of the code. `mph` is a code, but of milliphots. */
const USUAL: Readonly<Record<string, string>> = {
  '°c': 'Cel',
  degc: 'Cel',
  celsius: 'Cel',
  '°f': '[degF]',
  degf: '[degF]',
  fahrenheit: '[degF]',
  kelvin: 'K',
  mph: '[mi_i]/h',
  kmh: 'km/h',
  kph: 'km/h',
  percent: '%',
  kwh: 'kW.h',
  wh: 'W.h',
  mwh: 'MW.h',
  rpm: '{rev}/min',
  psi: '[psi]',
  ft: '[ft_i]',
  in: '[in_i]',
  lb: '[lb_av]',
  gal: '[gal_us]',
  sec: 's',
  ppm: '[ppm]',
  ppb: '[ppb]',
  count: '1',
  meter: 'm',
}; // prettier-ignore

export function findUnitProblem(code: string): UnitProblem | null {
  const unit = tryRead(code);
  return unit instanceof UnitError ? invalid(code, unit) : null;
}

export function findConversion(from: string, to: string): Conversion | UnitProblem {
  if (from === to) return { scale: 1, offset: 0 };
  const source = tryRead(from);
  if (source instanceof UnitError) return invalid(from, source);
  const target = tryRead(to);
  if (target instanceof UnitError) return invalid(to, target);
  const exact = affine(source, target);
  if (exact === null) {
    const near = usual(from);
    const [own, other] = [basesText(source), basesText(target)];
    const what = `cannot be converted to ${to}: it measures ${own}, not ${other}`;
    return near === undefined ? { what } : { what, near };
  }
  const conversion = { scale: toNumber(exact.scale), offset: toNumber(exact.offset) };
  const sane = conversion.scale > 1e-300 && conversion.scale < 1e300;
  return sane ? conversion : { what: `differs from ${to} by a factor beyond 10^±300` };
}

export const isConversion = (value: Conversion | UnitProblem): value is Conversion =>
  'scale' in value;

function tryRead(code: string): Unit | UnitError {
  try {
    return readUnit(code);
  } catch (error) {
    if (error instanceof UnitError) return error;
    throw error;
  }
}

function invalid(code: string, error: UnitError): UnitProblem {
  const near = usual(code) ?? suggestUnit(code) ?? undefined;
  return near === undefined ? { what: error.message } : { what: error.message, near };
}

function usual(code: string): string | undefined {
  const key = code.toLowerCase();
  return Object.hasOwn(USUAL, key) ? USUAL[key] : undefined;
}
