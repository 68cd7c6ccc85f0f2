/**
 * The questions of docs/analyst-queries.md. In: docs/queries/<name>.sql, the same text that the
 * page shows. Out: SQL for a database whose rows end at a fixed moment: that moment is its `now()`.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from '../../src/base/project.ts';
import { dateTime } from './fleet.ts';

const FOLDER = join(projectFolder(), 'docs', 'queries');

export function questionNames(): string[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith('.sql'))
    .map((file) => file.slice(0, -'.sql'.length))
    .sort();
}

export function questionText(name: string): string {
  return readFileSync(join(FOLDER, `${name}.sql`), 'utf8').trim();
}

export function questionAt(name: string, nowMs: number): string {
  return questionText(name).replaceAll('now()', `toDateTime64('${dateTime(nowMs)}', 3, 'UTC')`);
}
