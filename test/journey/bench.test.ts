import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { questionNames } from '../../bench/query/question.ts';
import { needNab } from '../support/nab.ts';

const isSource = import.meta.url.endsWith('.ts');
const bench = fileURLToPath(
  new URL(isSource ? '../../bench/main.ts' : '../../bench/main.js', import.meta.url),
);

type Line = Record<string, unknown>;

const KEYS = [
  ...['workload', 'case', 'subject', 'events', 'wallSeconds', 'cpuMicrosPerEvent'],
  ...['eventsPerSecond', 'resultHash', 'commit'],
];

async function run(workload: string, ...more: string[]): Promise<Line[]> {
  const flags = ['--small', '--json', ...more];
  const args = [...(isSource ? ['--import', 'tsx'] : []), bench, workload, ...flags];
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

describe('the kernel bench with peers that serialise', function () {
  this.timeout(120_000);

  it('prints the same windows for rows as bytes', async () => {
    const only = ['--case', 'point-json', '--subject', 'millrace,naive,naive-rows'];
    const lines = await run('kernel', ...only);
    expect(lines.map((line) => line['subject'])).to.deep.equal(['millrace', 'naive', 'naive-rows']);
    expect(new Set(lines.map((line) => line['resultHash'])).size).to.equal(1);
  });

  it('refuses names that there are not, and says which there are', async () => {
    for (const option of ['--case', '--subject']) {
      const failed = await run('kernel', option, 'nobody').catch((error: unknown) => error);
      expect(String(failed)).to.match(/'nobody' is not among (point-json|millrace), /);
    }
  });
});

describe('the drain bench', function () {
  this.timeout(240_000);

  it('stores what the peer stores, with samples or without', async function () {
    if (process.platform !== 'linux') this.skip();
    const cases = ['batch-point', 'batch-truck-agg', 'single-truck'];
    const lines = await run('drain', '--case', cases.join());
    for (const line of lines) expect(line).to.include.keys(...KEYS, 'cpuMicrosPerEventBy');
    for (const name of cases) {
      const of = (subject: string) =>
        lines.find((line) => line['case'] === name && line['subject'] === subject)!;
      expect(of('millrace')['windows'], name).to.be.a('number').and.be.above(0);
      for (const key of ['resultHash', 'windows', 'samples']) {
        expect(of('millrace')[key], `${key} of ${name}`).to.equal(of('naive')[key]);
      }
      expect(of('bare')['eventsPerSecond'], name).to.be.above(0);
      if (name.endsWith('-agg')) expect(of('millrace')['samples']).to.equal(0);
      else expect(of('millrace')['samples']).to.be.a('number').and.be.above(0);
    }
  });
});

describe('the insert bench', function () {
  this.timeout(240_000);

  it('stores the same rows in every format', async function () {
    if (process.platform !== 'linux') this.skip();
    const lines = await run('insert');
    for (const line of lines) expectMeasurement(line, 'insert', ['rowsPerCpuSecond']);
    const hashes = hashesByCase(lines);
    expect([...hashes.keys()]).to.have.members(['batch-point', 'batch-truck']);
    for (const [name, found] of hashes) expect(found.size, name).to.equal(1);
    const subjects = new Set(lines.map((line) => line['subject']));
    expect([...subjects]).to.have.members([
      ...['native', 'native-http', 'rowbinary', 'jsoneachrow', 'objects'],
    ]);
  });
});

describe('the sustained bench', function () {
  this.timeout(240_000);

  it('sees batches become visible, alerts arrive, all records in the books', async function () {
    if (process.platform !== 'linux') this.skip();
    const [line] = await run('sustained');
    expect(line).to.include({ workload: 'sustained', case: 'batch-truck', subject: 'millrace' });
    expect(line!['events']).to.be.at.least(4_000);
    for (const name of ['alertAgeMs', 'visibleAgeMs']) {
      const spread = line![name] as Record<'count' | 'p50' | 'p99' | 'p999', number>;
      expect(spread.count, name).to.be.above(0);
      expect(spread.p50, name).to.be.above(0);
      expect(spread.p99, name).to.be.within(spread.p50, spread.p999);
    }
    const by = line!['cpuMicrosPerEventBy'] as Record<string, number>;
    expect(Object.keys(by)).to.have.members(['own', 'publisher', 'nats-server', 'clickhouse']);
  });
});

describe('the parse bench', function () {
  this.timeout(240_000);

  it('prints every shape and format, all subjects with the same values', async () => {
    const lines = await run('parse');
    for (const line of lines) expectMeasurement(line, 'parse');
    const hashes = hashesByCase(lines);
    const wanted = ['point', 'truck'].flatMap((shape) =>
      ['json', 'protobuf', 'avro'].map((format) => `${shape}-${format}`),
    );
    expect([...hashes.keys()]).to.have.members(wanted);
    for (const [name, found] of hashes) expect(found.size, name).to.equal(1);
    const subjects = new Set(lines.map((line) => line['subject']));
    expect([...subjects]).to.include.members(['millrace', 'millrace-scalar', 'naive']);
    expect([...subjects]).to.include.members(['protobufjs', 'avsc']);
  });
});

describe('the micro bench', function () {
  this.timeout(240_000);

  it('prints every part, and all subjects of one part count the same', async () => {
    const lines = await run('micro');
    for (const line of lines) expectMeasurement(line, 'micro');
    const hashes = hashesByCase(lines);
    const parts = ['framing', 'lookup', 'turn-inline', 'turn-worker', 'export', 'import', 'hash'];
    expect([...hashes.keys()]).to.have.members(parts);
    for (const [name, found] of hashes) expect(found.size, name).to.equal(1);
    expect(hashes.get('import'), 'what was read back is what was written').to.have.keys('true');
  });
});

describe('the query bench', function () {
  this.timeout(240_000);

  it('answers every question of the documents as a computation without SQL does', async () => {
    const lines = await run('query');
    expect(lines.map((line) => line['case'])).to.deep.equal(questionNames());
    for (const line of lines) {
      expect(line['isChecked'], String(line['case'])).to.equal(true);
      expect(line['resultHash']).to.match(/^[0-9a-f]{16}$/);
      for (const name of ['views', 'withoutFinal']) {
        expect(line[name]).to.have.all.keys('coldMs', 'warmMs', 'cpuMs', 'isRight');
      }
      expect(line['views']).to.include({ isRight: true });
    }
    const wrong = lines.filter((line) => !(line['withoutFinal'] as Line)['isRight']);
    expect(wrong, 'what FINAL is there for is in the rows').not.to.deep.equal([]);
  });
});

describe('the anomaly bench', function () {
  this.timeout(240_000);

  it('prints per series what was found, then the sum', async function () {
    needNab(this);
    const lines = await run('anomaly');
    for (const line of lines) {
      expectMeasurement(line, 'anomaly', ['precision', 'recall', 'meanDelayHours']);
    }
    expect(lines.map((line) => line['case'])).to.deep.equal([
      ...['TravelTime_451', 'speed_7578', 'all'],
    ]);
    const sum = (name: string) =>
      lines.slice(0, -1).reduce((total, line) => total + Number(line[name]), 0);
    const all = lines.at(-1)!;
    for (const name of ['events', 'detections', 'trueDetections', 'windows', 'found']) {
      expect(all[name], name).to.equal(sum(name));
    }
    expect(all['recall']).to.equal(Number(all['found']) / Number(all['windows']));
    expect(all['precision']).to.equal(Number(all['trueDetections']) / Number(all['detections']));
  });
});

function expectMeasurement(line: Line, workload: string, more: readonly string[] = []): void {
  if (more.length === 0) expect(line).to.have.all.keys(...KEYS);
  else expect(line).to.include.keys(...KEYS, ...more);
  expect(line['workload']).to.equal(workload);
  for (const name of ['events', 'wallSeconds', 'cpuMicrosPerEvent', 'eventsPerSecond']) {
    expect(line[name], `${name} of ${line['case']}`).to.be.a('number').and.be.above(0);
  }
  expect(line['resultHash']).to.be.a('string').and.not.equal('');
  expect(line['commit']).to.match(/^[0-9a-f]{7,40}$|^unknown$/);
}

function hashesByCase(lines: readonly Line[]): Map<string, Set<unknown>> {
  const hashes = new Map<string, Set<unknown>>();
  for (const line of lines) {
    const name = String(line['case']);
    hashes.set(name, (hashes.get(name) ?? new Set()).add(line['resultHash']));
  }
  return hashes;
}
