import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';

const isSource = import.meta.url.endsWith('.ts');
const bench = fileURLToPath(
  new URL(isSource ? '../../bench/main.ts' : '../../bench/main.js', import.meta.url),
);

type Line = Record<string, unknown>;

const KEYS = [
  ...['workload', 'case', 'subject', 'events', 'wallSeconds', 'cpuMicrosPerEvent'],
  ...['eventsPerSecond', 'resultHash', 'commit'],
];

async function run(workload: string): Promise<Line[]> {
  const args = [...(isSource ? ['--import', 'tsx'] : []), bench, workload, '--small', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

async function measure(): Promise<Line> {
  return (await run('journey'))[0]!;
}

describe('the journey bench', function () {
  this.timeout(120_000);

  it('prints one measurement, with the same result in every run', async function () {
    if (process.platform !== 'linux') this.skip();
    const first = await measure();
    expect(first).to.have.all.keys(...KEYS);
    expect(first['events']).to.equal(5000);
    expect(first['resultHash'])
      .to.match(/^[0-9A-F]{1,16}$/)
      .and.not.equal('0');
    expect((await measure())['resultHash']).to.equal(first['resultHash']);
  });
});

describe('the kernel bench', function () {
  this.timeout(120_000);

  it('prints a measurement per case and subject, all subjects with the same windows', async () => {
    const lines = await run('kernel');
    const hashes = new Map<unknown, Set<unknown>>();
    for (const line of lines) {
      expect(line).to.have.all.keys(...KEYS);
      expect(line['resultHash'])
        .to.match(/^[0-9a-f]{16}$/)
        .and.not.equal('0'.repeat(16));
      const known = hashes.get(line['case']) ?? new Set();
      hashes.set(line['case'], known.add(line['resultHash']));
    }
    const wanted = ['point-json', 'point-protobuf', 'truck-json', 'truck-protobuf'];
    expect([...hashes.keys()]).to.include.members(wanted);
    for (const [name, found] of hashes) expect(found.size, String(name)).to.equal(1);
    const subjects = new Set(lines.map((line) => line['subject']));
    expect([...subjects]).to.have.members(['millrace', 'millrace-scalar', 'naive', 'protobufjs']);
  });
});
