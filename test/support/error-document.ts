/**
 * docs/errors.md, made from the catalogue. In: src/model/error.ts. Out: the text; run as a program
 * (`npm run docs`) it writes the file. Invariant: one section per code, in the catalogue's order.
 */
import { writeFileSync } from 'node:fs';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { ERRORS, type ErrorEntry, type Retry } from '../../src/model/error.ts';

const RETRY_TEXT: Record<Retry, string> = {
  now: 'It is tried again at once.',
  later: 'It is tried again after a while; work resumes by itself when the cause is gone.',
  never: 'It is not tried again: somebody has to act.',
};

const INTRODUCTION = `# Errors

Every error of the environment has a code that stays the same between versions; programs match on
the code, never on the text. With \`--json\` a command prints the code as \`code\`. Bad data is not
here: a rejected reading has a status and ends in the dead letters (\`millrace dlq\`).

This file is made by \`npm run docs\` from \`src/model/error.ts\`.
`;

export function errorDocument(errors: Readonly<Record<string, ErrorEntry>> = ERRORS): string {
  const sections = Object.entries(errors).map(
    ([code, { meaning, remedy, retry }]) =>
      `\n## ${code}\n\n${meaning}\n\n**What to do:** ${remedy}\n\n${RETRY_TEXT[retry]}\n`,
  );
  return INTRODUCTION + sections.join('');
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const folder = fileURLToPath(new URL('../../', import.meta.url)).replace(/build\/?$/, '');
  writeFileSync(`${folder}docs/errors.md`, errorDocument());
}
