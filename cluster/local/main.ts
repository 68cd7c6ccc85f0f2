/**
 * `npm run cluster -- [--workers N] [--config file] [--folder dir] [--ports first|auto]`: starts a
 * whole cluster on this machine, says where everything listens, and ends all of it at Ctrl-C.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Command } from 'commander';
import { exampleFile } from '../../src/config/index.ts';
import { LocalCluster, PORT_COUNT } from './local-cluster.ts';
import { localNatsServer } from './nats-binary.ts';
import { chooseLocalPorts } from './port.ts';

interface Options {
  readonly workers: string;
  readonly config?: string;
  readonly folder: string;
  readonly ports: string;
  readonly sync: string;
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(options: Options): Promise<void> {
  const count = Number(options.workers);
  if (!Number.isInteger(count) || count < 1 || count > 16) {
    throw new Error(`--workers ${options.workers}: expected 1 to 16`);
  }
  const configFile = options.config ? resolve(options.config) : exampleFile('trucks');
  if (!existsSync(configFile)) throw new Error(`--config ${configFile}: there is no such file`);
  const ended = new Promise<void>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done());
  });
  const cluster = new LocalCluster({
    folder: resolve(options.folder),
    natsServer: await localNatsServer(),
    configFile,
    ports: await portsOf(options.ports),
    syncAlways: options.sync === 'always',
    onDeath: (name, how) => say(`${name} ended by itself: ${how}`),
  });
  try {
    const starting = cluster.start(count);
    const isUp = await Promise.race([starting.then(() => true), ended.then(() => false)]);
    starting.catch(() => {}); // Ctrl-C came first
    if (isUp) tell(cluster, options);
    await ended;
    say('\nstopping everything …');
  } finally {
    await cluster.stop();
  }
}

async function portsOf(text: string): Promise<number[]> {
  if (text === 'auto') return chooseLocalPorts(PORT_COUNT);
  const first = Number(text);
  if (Number.isInteger(first) && first > 0 && first + PORT_COUNT < 65_536) {
    return Array.from({ length: PORT_COUNT }, (_, index) => first + index);
  }
  throw new Error(`--ports ${text}: expected "auto" or the first of ${PORT_COUNT} ports`);
}

function tell(cluster: LocalCluster, { folder }: Options): void {
  const urls = cluster.natsUrls.join(',');
  say(`NATS        ${urls}   three copies of every stream`);
  say(`ClickHouse  ${cluster.clickhouse.url}   database millrace, user default`);
  for (const [name, { process }] of cluster.workers) say(`${name.padEnd(11)} pid ${process.pid}`);
  const status = `millrace cluster status --join ${urls}`;
  say(`folder      ${resolve(folder)}\ntry         npx ${status}\nCtrl-C ends everything`);
}

if (process.argv[1]?.endsWith(join('cluster', 'local', 'main.js'))) {
  const command = new Command('cluster')
    .description('three nats-servers, one ClickHouse and n workers on this machine')
    .option('--workers <count>', 'how many workers', '3')
    .option('--config <file>', 'configuration of the workers (default: docs/examples/trucks.yaml)')
    .option('--folder <folder>', 'where everything lies', '.millrace/cluster')
    .option('--ports <first>', `"auto", or the first of ${PORT_COUNT} ports in a row`, 'auto')
    .option(
      '--sync <mode>',
      'default, or always: each acknowledgement survives power loss',
      'default',
    )
    .action(main);
  command.parseAsync().then(
    () => process.exit(0),
    (error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exit(1);
    },
  );
}
