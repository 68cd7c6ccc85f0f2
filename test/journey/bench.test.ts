import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const isSource = import.meta.url.endsWith('.ts');
const bench = fileURLToPath(
  new URL(isSource ? '../../bench/main.ts' : '../../bench/main.js', import.meta.url),
);

async function measure(): Promise<Record<string, unknown>> {
  const args = [...(isSource ? ['--import', 'tsx'] : []), bench, 'journey', '--small', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(stdout) as Record<string, unknown>;
}

describe('the journey bench', function () {
  this.timeout(120_000);

  it('prints one measurement, with the same result in every run', async function () {
    if (process.platform !== 'linux') this.skip();
    const first = await measure();
    expect(first).to.have.all.keys(
      'workload',
      'case',
      'subject',
      'events',
      'wallSeconds',
      'cpuMicrosPerEvent',
      'eventsPerSecond',
      'resultHash',
      'commit',
    );
    expect(first['events']).to.equal(5000);
    expect(first['resultHash'])
      .to.match(/^[0-9A-F]{1,16}$/)
      .and.not.equal('0');
    expect((await measure())['resultHash']).to.equal(first['resultHash']);
  });
});
