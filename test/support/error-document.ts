/**
 * docs/errors.md, made from the catalogues. In: src/model/error.ts, src/model/status.ts. Out: the
 * text; run as a program (`npm run docs`) it writes the file. Invariant: one section per code and
 * one row per status, in the order of the catalogues.
 */
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ERRORS, type ErrorEntry, type Retry } from '../../src/model/error.ts';
import { STATUSES, type StatusEntry, statusNumber } from '../../src/model/status.ts';

const RETRY_TEXT: Record<Retry, string> = {
  now: 'It is tried again at once.',
  later: 'It is tried again after a while; work resumes by itself when the cause is gone.',
  never: 'It is not tried again: somebody has to act.',
};

const INTRODUCTION = `# Errors

Every error of the environment has a code that stays the same between versions; programs match on
the code, never on the text. With \`--json\` a command prints the code as \`code\`. Bad data is no
error: it has a status, see [Statuses of data](#statuses-of-data).

This file is made by \`npm run docs\` from \`src/model/error.ts\` and \`src/model/status.ts\`.
`;

const STATUS_INTRODUCTION = `
## Statuses of data

What becomes of a record that is not stored whole. The status is the \`reason\` of its dead letter
(table \`dead_letters\`, \`millrace dlq\`, subjects \`dlq.…\`) and is counted in \`ledger\`. When
several apply, the one with the lowest number counts. A status of a record concerns all of it; one
of a sample all its readings; one of a reading only that one, the others are stored (\`partly\`).

| number | status | of a | meaning | what to do |
|---|---|---|---|---|
`;

export function errorDocument(errors: Readonly<Record<string, ErrorEntry>> = ERRORS): string {
  const sections = Object.entries(errors).map(
    ([code, { meaning, remedy, retry }]) =>
      `\n## ${code}\n\n${meaning}\n\n**What to do:** ${remedy}\n\n${RETRY_TEXT[retry]}\n`,
  );
  return INTRODUCTION + sections.join('') + STATUS_INTRODUCTION + statusRows(STATUSES);
}

function statusRows(statuses: Readonly<Record<string, StatusEntry>>): string {
  return Object.entries(statuses)
    .map(
      ([name, { scope, meaning, remedy }]) =>
        `| ${statusNumber(name)} | \`${name}\` | ${scope} | ${meaning} | ${remedy} |\n`,
    )
    .join('');
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('../../', import.meta.url)).replace(/build\/?$/, '');
  writeFileSync(`${folder}docs/errors.md`, errorDocument());
}
