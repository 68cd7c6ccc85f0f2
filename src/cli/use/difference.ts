/** How differing rows are told: table, key, and per column what is stored and what was computed. */
import pc from 'picocolors';
import type { RowDifference, TableComparison } from '../../audit/index.ts';

/** Sketches and samples are long; the columns' names and beginnings say enough. */
const VALUE_CHARACTERS_MAX = 160;

export const grouped = (value: number): string => value.toLocaleString('en-US');

export const rowsWrong = (tables: readonly TableComparison[]): number =>
  tables.reduce((sum, { missing, extra, differs }) => sum + missing + extra + differs, 0);

/** A line per table that has rows, and below it the first rows that differ. */
export function rowLines(tables: readonly TableComparison[]): string[] {
  return tables.flatMap((table) => {
    const { equal, missing, extra, differs, movedOn, expired } = table;
    if (equal + missing + extra + differs + movedOn + expired === 0) return [];
    const odd = Object.entries({ missing, extra, differs, 'moved on': movedOn, expired })
      .filter(([, rows]) => rows > 0)
      .map(([what, rows]) => ` · ${grouped(rows)} ${what}`);
    const told = differenceLines(table.shown).map((line) => pc.red(`  ${line}`));
    return [`${table.table}: ${grouped(equal)} equal${odd.join('')}`, ...told];
  });
}

function differenceLines(rows: readonly RowDifference[]): string[] {
  return rows.flatMap(({ verdict, key, columns }) => {
    const place = Object.entries(key).map(([name, value]) => `${name} ${value}`);
    return [
      `${verdict}: ${place.join(', ')}`,
      ...columns.map(
        ({ column, stored, computed }) =>
          `  ${column}: stored ${cut(stored)}, computed ${cut(computed)}`,
      ),
    ];
  });
}

const cut = (text: string): string =>
  text.length <= VALUE_CHARACTERS_MAX ? text : `${text.slice(0, VALUE_CHARACTERS_MAX)}…`;
