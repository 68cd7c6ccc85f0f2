import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { assert } from 'chai';
import { parse } from 'yaml';
import { projectFolder } from '../../../src/base/project.ts';
import { EXAMPLES, exampleFile, OVERRIDES } from '../../../src/config/index.ts';
import {
  GUIDE_FILE,
  guideText,
  optionRows,
  SCHEMA_FILE,
  schemaText,
} from '../../../src/config/schema/publish.ts';
import { configFolder, problemsOf } from './fixture.ts';

const read = (file: string) => readFileSync(join(projectFolder(), file), 'utf8');
const REMEDY = 'run `npx tsx src/config/schema/publish.ts`';

describe('What is published about options', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('the JSON Schema in docs/ is that of the program', () => {
    assert.strictEqual(read(SCHEMA_FILE), schemaText(), REMEDY);
  });

  it('docs/configuration.md lists every option as the program has it', () => {
    const guide = read(GUIDE_FILE);
    assert.strictEqual(guide, guideText(guide), REMEDY);
    const listed = [...guide.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
    assert.deepStrictEqual(
      listed,
      optionRows().map((row) => row.path),
    );
    assert.isAbove(listed.length, 50);
  });

  it('every option says what it does, its default and what is allowed', () => {
    for (const row of optionRows()) {
      for (const text of [row.description, row.default, row.allowed]) {
        assert.isAbove(text.length, 0, row.path);
      }
    }
  });

  it('every option whose range includes 0 says what 0 means', () => {
    const unsaid = optionRows().filter(
      (row) => /^0(ms|s|B)? …/.test(row.allowed) && row.zero === null,
    );
    assert.deepStrictEqual(unsaid, []);
  });

  it('every option outside metrics and channels has a variable', () => {
    const options = optionRows()
      .map((row) => row.path)
      .filter((path) => !/^(version|metrics|channels)/.test(path));
    const overridden = [...OVERRIDES.values()].map((option) => option.path.join('.'));
    assert.sameMembers(overridden, options);
  });

  it('the published schema accepts the examples and refuses a wrong option', () => {
    const validate = new Ajv({ strict: false }).compile(JSON.parse(schemaText()));
    for (const name of EXAMPLES) {
      assert.isTrue(validate(parse(readFileSync(exampleFile(name), 'utf8'))), name);
    }
    assert.isTrue(validate({ log: null }));
    assert.isFalse(validate({ log: { partitons: 4 } }));
    assert.isFalse(validate({ checkpoint: { interval: '10' } }));
  });

  it('the examples in the guide load', () => {
    const blocks = [...read(GUIDE_FILE).matchAll(/```yaml\n([^`]*)```/g)].map((match) => match[1]);
    assert.isAtLeast(blocks.length, 2);
    for (const block of blocks) assert.deepStrictEqual(problemsOf(block), []);
  });
});
