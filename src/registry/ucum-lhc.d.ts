/** The part of @lhncbc/ucum-lhc that is used; the package has no types of its own. */
declare module '@lhncbc/ucum-lhc' {
  export interface UcumUnit {
    readonly csCode_: string;
    /** 'UCUM' for the units of the standard's own tables. */
    readonly source_: string | null;
    readonly isBase_: boolean;
    readonly isMetric_: boolean;
    readonly isSpecial_: boolean;
    readonly isArbitrary_: boolean;
    /** Conversion function of a special unit: 'Cel', 'degF', 'lg' … */
    readonly cnv_: string | null;
    /** Definition: baseFactor × csUnitString. Null for base units. */
    readonly csUnitString_: string | null;
    readonly baseFactorStr_: string | null;
    readonly baseFactor_: number | null;
    readonly magnitude_: number;
  }
  export interface UcumAnswer {
    readonly status: 'valid' | 'invalid' | 'error';
    readonly ucumCode: string | null;
    readonly msg: readonly string[];
    readonly suggestions?: readonly {
      readonly units: readonly (readonly [string, string, string])[];
    }[];
  }
  interface Ucum {
    readonly UcumLhcUtils: {
      getInstance(): {
        validateUnitString(code: string, suggest?: boolean): UcumAnswer;
        convertUnitTo(
          from: string,
          value: number,
          to: string,
        ): { readonly status: string; readonly toVal: number | null };
      };
    };
    readonly UnitTables: {
      getInstance(): {
        getUnitByCode(code: string): UcumUnit | null | undefined;
        allUnitsByDef(): readonly UcumUnit[];
      };
    };
  }
  const ucum: Ucum;
  export default ucum;
}
