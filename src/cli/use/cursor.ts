/**
 * How far a file has been ingested: rows up to which every one is acknowledged. Kept beside the
 * data it belongs to, written by rename, so that a run that was cut off goes on where it stood.
 * Rows beyond the cursor may be in the log already; their keys make the second sending a duplicate.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export interface Cursor {
  /** Rows 1 … `rows` are acknowledged. */
  rows: number;
}

export class CursorFile {
  readonly #path: string;
  #cursor: Cursor;

  /** `key` names what is ingested where: file, identity, channel. */
  constructor(folder: string, key: string) {
    const name = createHash('sha256').update(key).digest('hex').slice(0, 24);
    this.#path = join(folder, `${name}.json`);
    this.#cursor = readCursor(this.#path);
  }

  get rows(): number {
    return this.#cursor.rows;
  }

  save(rows: number): void {
    if (rows === this.#cursor.rows) return;
    this.#cursor = { rows };
    mkdirSync(dirname(this.#path), { recursive: true });
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.#cursor));
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function readCursor(path: string): Cursor {
  try {
    const { rows } = JSON.parse(readFileSync(path, 'utf8')) as Cursor;
    return { rows: Number.isSafeInteger(rows) && rows > 0 ? rows : 0 };
  } catch {
    return { rows: 0 }; // none yet, or cut off while it was first written: start over
  }
}

/** The greatest n such that 1 … n were marked: acknowledgements arrive out of order. */
export class Contiguous {
  #upTo: number;
  readonly #beyond = new Set<number>();

  constructor(start: number) {
    this.#upTo = start;
  }

  mark(number: number): void {
    this.#beyond.add(number);
    while (this.#beyond.delete(this.#upTo + 1)) this.#upTo += 1;
  }

  get upTo(): number {
    return this.#upTo;
  }
}
