/**
 * A process of a cluster in a container of its own. In: a command, folders of this machine. Out:
 * the same as of a process here: it may be killed, paused (SIGSTOP, as here), continued and started
 * again, each time in a new container. It shares the network of this machine, so that the proxies
 * that cut connections are the same.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  StartupCheckStrategy,
} from 'testcontainers';
import type { Command, Managed } from '../../../cluster/local/owned-process.ts';
import { systemClock } from '../../../src/base/clock.ts';

export interface ContainerCommand extends Command {
  readonly client: ContainerRuntimeClient;
  readonly image: string;
  /** Everything of the run, under the same path inside. */
  readonly folder: string;
  readonly readOnlyFolders: readonly string[];
}

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>;

const GONE_POLL_MS = 10;
const LABEL = { 'millrace.chaos': 'true' };

/** Whether it is up is asked of the process itself. */
class AtOnce extends StartupCheckStrategy {
  override async checkStartupState() {
    return 'SUCCESS' as const;
  }
}

/** One life of the process. */
interface Life {
  container: Container | null;
  isOver: boolean;
  /** Its end was asked for. */
  isMeant: boolean;
}

export class ContainerProcess implements Managed {
  readonly pid = null;
  readonly #command: ContainerCommand;
  readonly #log: WriteStream;
  #life: Life | null = null;
  #starting: Promise<void> = Promise.resolve();

  constructor(command: ContainerCommand) {
    this.#command = command;
    this.#log = createWriteStream(command.logFile, { flags: 'a' });
  }

  get isRunning(): boolean {
    return this.#life !== null && !this.#life.isOver;
  }

  start(): void {
    if (this.isRunning) throw new Error(`bug: ${this.#command.name} runs already`);
    const life: Life = { container: null, isOver: false, isMeant: false };
    this.#life = life;
    this.#starting = this.#run(life).catch((error: Error) => {
      this.#log.write(`${error.message}\n`);
      this.#end(life, error.message);
    });
  }

  async kill(): Promise<void> {
    if (this.#life) this.#life.isMeant = true;
    await this.#signal('SIGKILL');
    await this.#gone(Number.POSITIVE_INFINITY);
  }

  pause(): void {
    void this.#signal('SIGSTOP');
  }

  resume(): void {
    void this.#signal('SIGCONT');
  }

  async stop(withinMs: number): Promise<void> {
    if (this.#life) this.#life.isMeant = true;
    await this.#signal('SIGCONT');
    await this.#signal('SIGTERM');
    if (!(await this.#gone(withinMs))) await this.kill();
  }

  async #run(life: Life): Promise<void> {
    const { client, image, program, args, environment = {}, folder } = this.#command;
    const readOnly = this.#command.readOnlyFolders.map((source) => ({
      ...{ source, target: source },
      mode: 'ro' as const,
    }));
    const started = await new GenericContainer(image)
      .withNetworkMode('host')
      .withLabels(LABEL)
      .withUser(`${process.getuid?.() ?? 0}:${process.getgid?.() ?? 0}`)
      .withBindMounts([...readOnly, { source: folder, target: folder, mode: 'rw' }])
      .withEnvironment({ PATH: '/usr/bin:/bin', HOME: folder, ...environment })
      .withEntrypoint([program])
      .withCommand([...args])
      .withWaitStrategy(new AtOnce())
      .withLogConsumer((stream) => {
        createInterface({ input: stream }).on('line', (line) => {
          this.#log.write(`${line}\n`);
          this.#command.onLine?.(line, 'stdout');
        });
      })
      .start();
    const container = client.container.getById(started.getId());
    life.container = container;
    void container
      .wait()
      .then(
        ({ StatusCode }: { StatusCode: number }) => `exit code ${StatusCode}`,
        (error: Error) => error.message,
      )
      .then(async (how) => {
        await container.remove({ force: true }).catch(() => {}); // the engine went away
        this.#end(life, how);
      });
  }

  #end(life: Life, how: string): void {
    if (life.isOver) return;
    life.isOver = true;
    if (!life.isMeant) this.#command.onDeath?.(how);
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    await this.#starting;
    const { container, isOver } = this.#life ?? {};
    if (!container || isOver) return;
    await container.kill({ signal }).catch(() => {}); // it ended meanwhile
  }

  async #gone(withinMs: number): Promise<boolean> {
    const endMs = systemClock.monotonicMs() + withinMs;
    while (this.isRunning) {
      if (systemClock.monotonicMs() > endMs) return false;
      await systemClock.wait(GONE_POLL_MS);
    }
    return true;
  }
}
