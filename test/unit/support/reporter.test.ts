import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { siblingModule } from '../../../src/base/sibling.ts';

interface Row {
  readonly title: string;
  readonly body: string;
  readonly lastLine: string;
  readonly output?: RegExp;
}

const rows: Row[] = [
  {
    title: 'a run that passes',
    body: `it('a', () => {}); it('b', () => {});`,
    lastLine: '2 passed, 0 failed',
  },
  {
    title: 'a run with failures and skips',
    body: `it('a', () => {}); it('b', () => { throw new Error('no'); }); it.skip('c', () => {});`,
    lastLine: '1 passed, 1 failed, 1 skipped',
  },
  {
    title: 'a rejection that nobody handles',
    body: `it('a', () => { Promise.reject(new Error('forgotten')); });
      it('b', (done) => { setTimeout(done, 20); });`,
    lastLine: '1 passed, 1 failed',
    output: /forgotten/,
  },
  {
    title: 'a rejection after the last test',
    body: `it('a', () => { process.nextTick(() => Promise.reject(new Error('forgotten'))); });`,
    lastLine: '1 passed, 1 failed',
    output: /forgotten/,
  },
  {
    title: 'a process left behind',
    body: `it('a', () => { spawn('sleep', ['61'], { stdio: 'ignore' }).unref(); });`,
    lastLine: '1 passed, 1 failed',
    output: /left processes behind[\s\S]*sleep 61/,
  },
  {
    title: 'a process left behind by a process that is gone',
    body: `it('a', (done) => {
      spawn('sh', ['-c', 'sleep 62 &'], { stdio: 'ignore' }).on('exit', () => done());
    });`,
    lastLine: '1 passed, 1 failed',
    output: /left processes behind[\s\S]*sleep 62/,
  },
  {
    title: 'an open server that keeps the run alive',
    body: `it('a', (done) => { createServer().listen(0, '127.0.0.1', done); });`,
    lastLine: '1 passed, 1 failed',
    output: /did not end by itself[\s\S]*Server/,
  },
  {
    title: 'a test that ends the process',
    body: `it('a', () => {}); it('b', () => { process.exit(0); });`,
    lastLine: '1 passed, 1 failed',
  },
];

describe('the test report', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-report-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  const mocha = fileURLToPath(import.meta.resolve('mocha')).replace(/node_modules\/mocha\/.*$/, '');
  const support = (name: string) =>
    fileURLToPath(siblingModule(import.meta.url, `../../support/${name}`));

  const run = (path: string) =>
    new Promise<{ code: number | null; output: string }>((resolve) => {
      const args = [
        ...process.execArgv,
        join(mocha, 'node_modules/mocha/bin/mocha.js'),
        ...['--no-config', '--require', support('hook'), '--reporter', support('reporter'), path],
      ];
      const child = spawn(process.execPath, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          MILLRACE_TEST_EXIT_WAIT_MS: '300',
          MILLRACE_TEST_LEFTOVER_WAIT_MS: '200',
        },
      });
      let output = '';
      child.stdout.on('data', (chunk) => (output += chunk));
      child.stderr.on('data', (chunk) => (output += chunk));
      child.on('close', (code) => resolve({ code, output }));
    });

  for (const [index, { title, body, lastLine, output }] of rows.entries()) {
    it(`counts ${title} and tells it by exit code and last line`, async () => {
      const path = join(folder, `row${index}.test.mjs`);
      const imports = `import { spawn } from 'node:child_process';
        import { createServer } from 'node:net';`;
      writeFileSync(path, `${imports}\n${body}\n`);
      const result = await run(path);
      expect(result.output.trimEnd().split('\n').at(-1), result.output).to.match(
        new RegExp(`${lastLine}$`),
      );
      expect(result.code === 0, result.output).to.equal(/ 0 failed/.test(result.output));
      if (output) expect(result.output).to.match(output);
    });
  }
});
