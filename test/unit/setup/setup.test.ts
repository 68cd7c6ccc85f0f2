import { spawn } from 'node:child_process';
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/build\/?$/, '');

/** Stands in for asc and tsc: notes that it was called, makes an output, or fails as told. */
const TOOL = `
const fs = require('node:fs');
const name = process.argv[1].includes('assemblyscript') ? 'asc' : 'tsc';
fs.appendFileSync('calls.log', name + '\\n');
if (fs.existsSync(name + '.fails')) {
  console.log('src/x.ts(1,1): error: no good');
  process.exit(2);
}
if (name === 'tsc') {
  fs.mkdirSync('build/src/engine/nats', { recursive: true });
  fs.mkdirSync('build/src/cli', { recursive: true });
  fs.writeFileSync('build/src/cli/main.js', '');
  fs.copyFileSync('nats.js', 'build/src/engine/nats/index.js');
}
`;
const NATS_ROOM = `
import { appendFileSync, existsSync } from 'node:fs';
export async function findNatsServer() {
  if (!existsSync('nats.fails')) return { path: '/x', version: '2.15.1' };
  throw Object.assign(new Error('none was found'), { code: 'NATS_SERVER_MISSING' });
}
`;

describe('setting up a checkout', function () {
  this.timeout(60_000);
  let folder: string;

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-setup-'));
    mkdirSync(join(folder, 'src'));
    copyFileSync(join(ROOT, 'src/setup.mjs'), join(folder, 'src/setup.mjs'));
    put('package.json', '{"type": "module"}');
    put('package-lock.json', '{"packages": {"": {}, "node_modules/a": {"version": "1.0.0"}}}');
    put(
      'node_modules/.package-lock.json',
      '{"packages": {"node_modules/a": {"version": "1.0.0"}}}',
    );
    for (const path of ['assemblyscript/bin/asc.js', 'typescript/bin/tsc']) {
      put(`node_modules/${path}`, TOOL);
      put(`node_modules/${path.split('/')[0]}/package.json`, '{"type": "commonjs"}');
    }
    put('nats.js', NATS_ROOM);
    put('asconfig.json', '{}');
    put('tsconfig.json', '{}');
    put('assembly/index.ts', '');
    put('assembly/shared/abi.ts', '');
    put('src/x.ts', '');
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = () =>
    new Promise<{ code: number | null; output: string }>((resolve) => {
      // Bare Node: no loader that the test runner may be under.
      const env = { ...process.env, NODE_OPTIONS: '' };
      const child = spawn(process.execPath, ['src/setup.mjs'], { cwd: folder, env });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (output += chunk));
      child.on('close', (code) => resolve({ code, output }));
    });
  /** What was called since the last look, in order. */
  const calls = () => {
    const path = join(folder, 'calls.log');
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    rmSync(path, { force: true });
    return text.trim().split('\n').join(' ');
  };

  it('does everything once, then nothing, silently', async () => {
    const first = await run();
    expect(first.code, first.output).to.equal(0);
    expect(first.output).to.match(/kernel +compiled \(\d+\.\d s\)\n.*\n.*code +compiled \(/);
    expect(calls()).to.equal('asc asc asc tsc');
    expect(statSync(join(folder, 'build/src/cli/main.js')).mode & 0o111).to.equal(0o111);
    expect(await run()).to.deep.equal({ code: 0, output: '' });
    expect(calls()).to.equal('');
  });

  const changes: [path: string, expected: string][] = [
    ['assembly/index.ts', 'asc asc asc'],
    ['assembly/shared/abi.ts', 'asc asc asc tsc'],
    ['asconfig.json', 'asc asc asc'],
    ['src/x.ts', 'tsc'],
    ['test/unit/new.test.ts', 'tsc'],
    ['tsconfig.json', 'tsc'],
    ['README.md', ''],
  ];
  for (const [path, expected] of changes) {
    it(`runs ${expected || 'nothing'} when ${path} changes`, async () => {
      await run();
      calls();
      put(path, 'changed');
      expect((await run()).code).to.equal(0);
      expect(calls()).to.equal(expected);
    });
  }

  for (const tool of ['asc', 'tsc']) {
    it(`shows what a failing ${tool} printed, fails, and tries again`, async () => {
      put(`${tool}.fails`, '');
      for (let attempt = 0; attempt < 2; attempt += 1) {
        const { code, output } = await run();
        expect(code).to.equal(1);
        expect(output).to.match(/error: no good[\s\S]*set-up failed at .* exit code 2/);
        expect(calls()).to.include(tool);
      }
      rmSync(join(folder, `${tool}.fails`));
      expect((await run()).code).to.equal(0);
    });
  }

  it('fails with the code and the words of the search when there is no nats-server', async () => {
    put('nats.fails', '');
    const { code, output } = await run();
    expect(code).to.equal(1);
    expect(output).to.match(/nats-server \(NATS_SERVER_MISSING\)\nnone was found/);
  });

  it('takes turns with another set-up of the same checkout', async () => {
    const results = await Promise.all([run(), run(), run()]);
    for (const { code, output } of results) expect(code, output).to.equal(0);
    expect(calls()).to.equal('asc asc asc tsc');
    expect(existsSync(join(folder, '.tools/setup.lock'))).to.equal(false);
  });

  it('goes on when the set-up that held the lock was killed', async () => {
    put('.tools/setup.lock', JSON.stringify({ pid: 2 ** 22 + 1, startedAt: '1' }));
    expect((await run()).code).to.equal(0);
    // The id of a living process, but of another one than wrote the lock.
    appendFileSync(join(folder, 'src/x.ts'), '//');
    put('.tools/setup.lock', JSON.stringify({ pid: process.pid, startedAt: '1' }));
    if (process.platform === 'linux') expect((await run()).code).to.equal(0);
  });

  it('removes what was compiled from a source that is gone', async () => {
    put('build/test/unit/gone.test.js', '');
    put('build/test/unit/gone.test.js.map', '');
    put('build/src/x.js', '');
    await run();
    expect(existsSync(join(folder, 'build/test/unit/gone.test.js'))).to.equal(false);
    expect(existsSync(join(folder, 'build/test/unit/gone.test.js.map'))).to.equal(false);
    expect(existsSync(join(folder, 'build/src/x.js'))).to.equal(true);
  });

  it('asks npm when node_modules is not what the lock file says', async () => {
    put('package-lock.json', '{"packages": {"": {}, "node_modules/a": {"version": "1.0.1"}}}');
    put('npm.cjs', `require('node:fs').appendFileSync('calls.log', process.argv[2] + '\\n');`);
    const before = process.env['npm_execpath'];
    process.env['npm_execpath'] = join(folder, 'npm.cjs');
    const { code, output } = await run().finally(() => {
      if (before === undefined) delete process.env['npm_execpath'];
      else process.env['npm_execpath'] = before;
    });
    expect(code, output).to.equal(0);
    expect(calls()).to.equal('ci asc asc asc tsc');
    expect(output).to.match(/dependencies +installed/);
  });
});
