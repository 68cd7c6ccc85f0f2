import { ERRORS } from '../../src/model/error.ts';
import { errorDocument } from '../support/error-document.ts';
import { checkRules, type Rule } from './rule.ts';
import type { SourceFile } from './source.ts';

const DOCUMENT = 'docs/errors.md';
const QUERIES_PAGE = 'docs/analyst-queries.md';
const isDocument = ({ path }: SourceFile) => /^(README\.md|docs\/.*\.md)$/.test(path);

/** Variables that only the tests know; they are no options of the product. */
const TEST_VARIABLE = /^MILLRACE_TEST_/;

const RULES: Rule[] = [
  {
    title: 'every error code is in docs/errors.md, with meaning and remedy',
    find: (files) => {
      const text = files.find(({ path }) => path === DOCUMENT)?.text ?? '';
      const missing = Object.keys(ERRORS).filter((code) => !text.includes(`\n## ${code}\n`));
      if (missing.length > 0) return [`${DOCUMENT} lacks ${missing.join(', ')}: npm run docs`];
      return text === errorDocument() ? [] : [`${DOCUMENT} is not up to date: npm run docs`];
    },
    broken: [
      {},
      { [DOCUMENT]: errorDocument().replace('## PORT_BUSY', '## PORT_FREE') },
      { [DOCUMENT]: `${errorDocument()}\nwritten by hand` },
    ],
    kept: [{ [DOCUMENT]: errorDocument() }],
  },
  {
    title: 'every environment variable is in the documents',
    find: (files) => {
      const documents = files.filter(isDocument).map(({ text }) => text);
      const names = files
        .filter(({ path }) => path.startsWith('src/'))
        .flatMap(({ text }) => text.match(/\bMILLRACE_[A-Z0-9_]+\b/g) ?? [])
        .filter((name) => !TEST_VARIABLE.test(name));
      return [...new Set(names)]
        .filter((name) => !documents.some((text) => text.includes(name)))
        .map((name) => `${name} is read in src but not in README.md or docs/`);
    },
    broken: [{ 'src/config/x.ts': `read('MILLRACE_SECRET')`, 'README.md': 'MILLRACE_PORT' }],
    kept: [{ 'src/config/x.ts': `read('MILLRACE_PORT')`, 'docs/x.md': '`MILLRACE_PORT`' }],
  },
  {
    title: 'docs/analyst-queries.md shows every query of docs/queries as it is, and no other',
    find: (files) => {
      const page = files.find(({ path }) => path === QUERIES_PAGE)?.text ?? '';
      const shown = [...page.matchAll(/```sql\n([^`]*)```/g)].map(([, sql]) => sql!);
      const queries = files.filter(({ path }) => /^docs\/queries\/.*\.sql$/.test(path));
      const isKnown = (sql: string) => queries.some(({ text }) => text === sql);
      return [
        ...queries
          .filter(({ text }) => !shown.includes(text))
          .map(({ path }) => `${path} is not in ${QUERIES_PAGE} as it is`),
        ...shown
          .filter((sql) => !isKnown(sql))
          .map((sql) => `${QUERIES_PAGE} shows a query that is no file: ${sql.split('\n')[0]}`),
      ];
    },
    broken: [
      { 'docs/queries/a.sql': 'SELECT 1\n' },
      { 'docs/queries/a.sql': 'SELECT 1\n', [QUERIES_PAGE]: '```sql\nSELECT  1\n```' },
      { [QUERIES_PAGE]: '```sql\nSELECT 1\n```' },
    ],
    kept: [{ 'docs/queries/a.sql': 'SELECT 1\n', [QUERIES_PAGE]: 'x\n```sql\nSELECT 1\n```\n' }],
  },
];

checkRules('what a user meets is documented', RULES);
