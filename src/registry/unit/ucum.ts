/**
 * The part of @lhncbc/ucum-lhc that is used: its tables of units and its advice on misspelt codes.
 * The package is CommonJS without types; it is required, because what an import of it gives differs
 * between Node and tsx. Loaded on first use.
 */
import { createRequire } from 'node:module';

export interface UcumUnit {
  readonly csCode_: string;
  /** 'UCUM' for the units of the standard's own tables. */
  readonly source_: string | null;
  readonly isBase_: boolean;
  readonly isMetric_: boolean;
  /** Temperature scales, logarithms and other functions. */
  readonly isSpecial_: boolean;
  readonly isArbitrary_: boolean;
  /** Definition: baseFactor × csUnitString. Null for base units. */
  readonly csUnitString_: string | null;
  readonly baseFactorStr_: string | null;
  readonly baseFactor_: number | null;
  readonly magnitude_: number;
}

interface UcumAnswer {
  readonly ucumCode: string | null;
  readonly suggestions?: readonly {
    readonly units: readonly (readonly [string, string, string])[];
  }[];
}

interface UcumPackage {
  readonly UcumLhcUtils: {
    getInstance(): { validateUnitString(code: string, suggest: boolean): UcumAnswer };
  };
  readonly UnitTables: {
    getInstance(): {
      getUnitByCode(code: string): UcumUnit | null | undefined;
      allUnitsByDef(): readonly UcumUnit[];
    };
  };
}

const load = () => createRequire(import.meta.url)('@lhncbc/ucum-lhc') as UcumPackage;

/** Getting the utilities first is what fills the tables. */
export function unitTables() {
  const ucum = load();
  ucum.UcumLhcUtils.getInstance();
  return ucum.UnitTables.getInstance();
}

/**
 * The code the library thinks was meant, null when it has no idea. It prints when there are spaces.
 */
export function suggestUnit(code: string): string | null {
  if (!/^[^\s]{1,64}$/.test(code)) return null;
  const answer = load().UcumLhcUtils.getInstance().validateUnitString(code, true);
  const near = answer.ucumCode ?? answer.suggestions?.[0]?.units[0]?.[0] ?? null;
  return near === code ? null : near;
}
