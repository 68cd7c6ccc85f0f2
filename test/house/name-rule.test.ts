import { posix } from 'node:path';
import { checkRules, perFile, type Rule } from './rule.ts';
import type { SourceFile } from './source.ts';

/** Names that say nothing; neither alone nor as the last word of a name. */
const EMPTY_WORDS = [
  ...['util', 'utils', 'helper', 'helpers', 'common', 'misc', 'manager', 'service', 'handler'],
  ...['data', 'info'],
];

const CODE = /^(src|assembly|bench|test)\/.*\.(ts|mjs|js)$/;
const KEBAB = /^[a-z0-9]+(-[a-z0-9]+)*$/;

const partsOf = ({ path }: SourceFile): string[] => {
  const folders = posix.dirname(path).split('/');
  const name = posix.basename(path).replace(/(\.(test|d))?\.(ts|mjs|js)$/, '');
  return [...folders, name];
};

const RULES: Rule[] = [
  {
    title: 'files and folders are kebab-case',
    find: perFile(CODE, (file) =>
      partsOf(file)
        .filter((part) => !KEBAB.test(part))
        .map((part) => `${file.path}: "${part}" is not kebab-case`),
    ),
    broken: [
      { 'src/log/leanReader.ts': '' },
      { 'src/log/LeanReader.ts': '' },
      { 'src/log/lean_reader.ts': '' },
      { 'src/leanReader/index.ts': '' },
      { 'test/unit/log/lean.reader.test.ts': '' },
    ],
    kept: [{ 'src/log/lean-reader.ts': '' }, { 'test/unit/log/lean-reader.test.ts': '' }],
  },
  {
    title: 'a name says what is inside',
    find: perFile(CODE, (file) =>
      partsOf(file)
        .filter((part) => EMPTY_WORDS.includes(part.split('-').at(-1)!))
        .map((part) => `${file.path}: "${part}" says nothing; name the noun it is about`),
    ),
    broken: [
      { 'src/log/utils.ts': '' },
      { 'src/log/string-utils.ts': '' },
      { 'src/log/stream-manager.ts': '' },
      { 'src/common/x.ts': '' },
      { 'test/support/helpers.ts': '' },
    ],
    kept: [{ 'src/log/stream.ts': '' }, { 'src/sim/data-fault.ts': '' }],
  },
];

checkRules('names are honest', RULES);
