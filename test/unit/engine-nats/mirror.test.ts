import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { readDebianMirrors } from '../../../src/engine/nats/fetch/mirror.ts';
import * as fixture from './fixture.ts';

interface Row {
  readonly title: string;
  readonly files: Readonly<Record<string, string>>;
  readonly expected: readonly string[];
}

const rows: Row[] = [
  {
    title: 'a one-line list with options and a comment',
    files: { 'sources.list': 'deb [arch=amd64] http://m.example/debian bookworm main # here\n' },
    expected: ['http://m.example/debian'],
  },
  {
    title: 'deb822 with several addresses, suites and a comment inside',
    files: {
      'sources.list.d/debian.sources': [
        'Types: deb deb-src',
        '# http://snapshot.example/debian',
        'URIs: http://a.example/debian/',
        ' http://b.example/debian',
        'Suites: trixie trixie-updates',
        'Components: main contrib',
      ].join('\n'),
    },
    expected: ['http://a.example/debian/', 'http://b.example/debian'],
  },
  {
    title: 'no security archive, which has no unstable',
    files: {
      'sources.list': 'deb http://m.example/debian-security bookworm-security main\n',
      'sources.list.d/x.sources':
        'Types: deb\nURIs: http://m.example/security\nSuites: trixie\nComponents: main\n',
    },
    expected: [],
  },
  {
    title: 'no source of other vendors, though Debian’s name is in it',
    files: {
      'sources.list': [
        'deb https://vendor.example/linux/debian bookworm stable',
        'deb https://vendor.example/apt bookworm-pgdg main',
        'deb http://archive.example/ubuntu noble main universe',
        'deb cdrom:[Debian]/ bookworm main',
        'deb-src http://m.example/debian bookworm main',
        '# deb http://m.example/debian bookworm main',
      ].join('\n'),
    },
    expected: [],
  },
  {
    title: 'the most Debian-like first, each once',
    files: {
      'sources.list': [
        'deb http://proxy.example/repository/deb bookworm main',
        'deb http://m.example/debian bookworm main',
        'deb http://m.example/debian bookworm-updates main',
      ].join('\n'),
    },
    expected: ['http://m.example/debian', 'http://proxy.example/repository/deb'],
  },
  {
    title: 'no disabled stanza and no file that apt itself ignores',
    files: {
      'sources.list.d/off.sources':
        'Enabled: no\nTypes: deb\nURIs: http://m.example/debian\nSuites: sid\nComponents: main\n',
      'sources.list.d/a.list.disabled': 'deb http://m.example/debian bookworm main\n',
    },
    expected: [],
  },
];

describe('the Debian mirror of this machine', () => {
  afterEach(() => fixture.cleanUp());

  for (const { title, files, expected } of rows) {
    it(`is read from ${title}`, () => {
      const folder = fixture.temporaryFolder();
      mkdirSync(join(folder, 'sources.list.d'));
      for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
      expect(readDebianMirrors(folder)).to.deep.equal(expected);
    });
  }

  it('is nothing where there is no apt', () => {
    expect(readDebianMirrors('/nowhere')).to.deep.equal([]);
  });
});
