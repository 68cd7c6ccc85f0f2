/** The worked example of assembly/README.md is what the kernel has in memory today. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { projectFolder } from '../../src/base/project.ts';
import { workedExample } from './dump.ts';

describe('the worked example of assembly/README.md', () => {
  it('shows the block as the kernel lays it out (else: npx tsx test/kernel/dump.ts)', async () => {
    const page = readFileSync(join(projectFolder(), 'assembly', 'README.md'), 'utf8');
    expect(page).to.include(await workedExample());
  });
});
