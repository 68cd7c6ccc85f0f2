import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parse, parseAllDocuments } from 'yaml';
import { projectFolder } from '../../../src/base/project.ts';
import { environment, loadConfig } from '../../../src/config/index.ts';
import { findNatsServer } from '../../../src/engine/nats/index.ts';
import type { Config } from '../../../src/model/config.ts';

const ROOT = join(projectFolder(), 'cluster');
const read = (...path: string[]): string => readFileSync(join(ROOT, ...path), 'utf8');

/** What these tests look at in a document. */
interface Service {
  readonly image: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly command: readonly string[];
}
interface Container {
  readonly image: string;
  readonly args?: readonly string[];
  readonly env: readonly { readonly name: string }[];
}
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly selector?: unknown;
    readonly template?: { readonly spec: { readonly containers: readonly Container[] } };
  };
}

const compose = parse(read('compose', 'compose.yaml'), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
};
const resources = ['millrace.yaml', 'clickhouse.yaml'].flatMap((file) =>
  parseAllDocuments(read('kubernetes', file)).map((each) => each.toJS() as Resource),
);
const containers = resources.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
const namesIn = (text: string, pattern: RegExp): string[] => [
  ...new Set([...text.matchAll(pattern)].map((match) => match[1]!)),
];

describe('files for several machines', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-deployment-'));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  const configOf = (text: string): Config => {
    const file = join(folder, 'millrace.yaml');
    writeFileSync(file, text);
    return loadConfig({ file }).config;
  };
  const inPods = (): string =>
    resources.find(({ data }) => data?.['millrace.yaml'])!.data!['millrace.yaml']!;

  it('are YAML without errors and doubled keys', () => {
    for (const kind of ['compose', 'kubernetes', 'config']) {
      for (const file of readdirSync(join(ROOT, kind)).filter((name) => /ya?ml$/.test(name))) {
        for (const document of parseAllDocuments(read(kind, file), { merge: true })) {
          expect(document.errors.map(String), file).to.deep.equal([]);
        }
      }
    }
  });

  it('give workers a configuration that Millrace takes, the same everywhere', () => {
    const config = configOf(read('config', 'millrace.yaml'));
    expect(config.nats.replicas).to.equal(3);
    expect(config.clickhouse.cluster).to.equal('{cluster}');
    const { nats, ...rest } = configOf(inPods());
    const { nats: natsHere, ...restHere } = config;
    expect(rest).to.deep.equal(restHere);
    expect({ ...nats, url: '' }).to.deep.equal({ ...natsHere, url: '' });
  });

  it('map native publishes to the log and partitions of that configuration', () => {
    const { log } = configOf(read('config', 'millrace.yaml'));
    for (const text of [
      read('config', 'nats-server.conf'),
      read('kubernetes', 'nats-values.yaml'),
    ]) {
      expect(text).to.include(`"log.${log.id}.{{partition(${log.partitions},1,2,3)}}.iot.`);
    }
  });

  it('give the NATS servers a store that holds all streams', () => {
    const { log } = configOf(read('config', 'millrace.yaml'));
    const least = (log.maxBytes + 3 * 1024 ** 3) / 0.9;
    const [bytes] = namesIn(read('config', 'nats-server.conf'), /max_file_store: (\d+)/g);
    expect(Number(bytes)).to.be.at.least(least);
    const values = parse(read('kubernetes', 'nats-values.yaml')) as {
      config: { jetstream: { fileStore: { maxSize: string } } };
    };
    const { maxSize } = values.config.jetstream.fileStore;
    expect(Number.parseInt(maxSize, 10) * 1024 ** 3).to.be.at.least(least);
  });

  it('have a configuration of nats-server that nats-server takes', async function () {
    this.timeout(20_000);
    const binary = await findNatsServer({
      ...(environment.natsServer ? { explicitPath: environment.natsServer } : {}),
      searchPath: environment.searchPath,
      toolsFolder: join(projectFolder(), '.tools', 'nats-server'),
      say: () => undefined,
    });
    const given = compose.services['nats-1']!.environment;
    const variables = namesIn(read('config', 'nats-server.conf'), /: \$(\w+)/g);
    expect(Object.keys(given)).to.include.members(variables);
    const { stderr } = await promisify(execFile)(
      binary.path,
      ['-t', '-c', join(ROOT, 'config', 'nats-server.conf')],
      { env: Object.fromEntries(variables.map((name) => [name, 'secret'])) },
    );
    expect(stderr).to.include('is valid');
  });

  it('name servers as they are called', () => {
    const services = Object.keys(compose.services);
    const routes = namesIn(read('config', 'routes.conf'), /@([\w-]+):6222/g);
    const hosts = namesIn(read('config', 'clickhouse.xml'), /<host>([\w-]+)</g);
    const url = configOf(read('config', 'millrace.yaml')).nats.url!;
    expect(routes).to.deep.equal(['nats-1', 'nats-2', 'nats-3']);
    expect(hosts).to.deep.equal(['clickhouse-1', 'clickhouse-2', 'clickhouse-3']);
    expect(services).to.include.members([...routes, ...hosts]);
    expect(namesIn(url, /\/\/([\w-]+):4222/g)).to.deep.equal(routes);
    expect(compose.services['worker']!.command).to.include(url);
    const podUrl = configOf(inPods()).nats.url!;
    expect(containers.flatMap(({ args }) => args ?? [])).to.include(podUrl);
  });

  it('give every variable that ClickHouse reads to its containers', () => {
    for (const [text, given] of [
      [
        read('config', 'clickhouse.xml') + read('config', 'clickhouse-users.xml'),
        Object.keys(compose.services['clickhouse-1']!.environment),
      ],
      [
        Object.values(resources.find(({ data }) => data?.['users.xml'])!.data!).join(''),
        containers.flatMap(({ env }) => env.map(({ name }) => name)),
      ],
    ] as const) {
      const variables = namesIn(text, /from_env="(\w+)"/g);
      const set = [...given, 'CLICKHOUSE_ID']; // in pods from the pod's number, by its command
      expect(variables.length).to.be.above(3);
      expect(set).to.include.members(variables);
    }
  });

  it('are XML in which every element ends', () => {
    const inMap = resources.flatMap(({ data }) =>
      Object.entries(data ?? {}).flatMap(([name, text]) => (name.endsWith('.xml') ? [text] : [])),
    );
    const files = ['clickhouse.xml', 'clickhouse-users.xml'].map((file) => read('config', file));
    expect([...inMap, ...files]).to.have.length(4);
    for (const text of [...inMap, ...files]) expect(openElements(text)).to.deep.equal([]);
  });

  it('name images plainly, without a registry', () => {
    const images = [
      ...Object.values(compose.services).map(({ image }) => image),
      ...containers.map(({ image }) => image),
      ...namesIn(read('compose', 'Dockerfile'), /^FROM (\S+)/gm),
    ];
    expect(images.length).to.be.above(8);
    for (const image of images) expect(image).to.match(/^[a-z-]+(\/[a-z-]+)?(:[\w.-]+)?$/);
  });

  it('have units that systemd takes', function () {
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) {
      console.warn('    SKIPPED: no systemd-analyze here; the units were not checked');
      this.skip();
    }
    const units = readdirSync(join(ROOT, 'systemd')).map((name) => join(ROOT, 'systemd', name));
    const { stdout, stderr } = spawnSync('systemd-analyze', ['verify', ...units], {
      encoding: 'utf8',
    });
    const said = `${stdout}${stderr}`.split('\n').filter((line) => line !== '');
    const complaints = said.filter((line) => !line.includes('is not executable')); // not installed
    expect(complaints).to.deep.equal([]);
  });
});

/** Names of elements that are open at the end, or closed by another name. */
function openElements(xml: string): string[] {
  const open: string[] = [];
  for (const [, close, name, self] of xml
    .replace(/<!--[\s\S]*?-->/g, '')
    .matchAll(/<(\/?)([\w-]+)[^>]*?(\/?)>/g)) {
    if (close === '') open.push(...(self === '' ? [name!] : []));
    else if (open.at(-1) === name) open.pop();
    else return [...open, `/${name}`];
  }
  return open;
}
