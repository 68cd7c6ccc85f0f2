/**
 * The Docker engine of this machine, if there is one, and the image that runs a cluster's
 * processes. In: nothing. Out: a way to launch commands in containers, or why there is none. The
 * image is made from the local nats-server alone, so that no registry is needed; what else they
 * need (libraries, Node, the project) is mounted from this machine, read-only.
 */
import { copyFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import {
  type ContainerRuntimeClient,
  GenericContainer,
  getContainerRuntimeClient,
} from 'testcontainers';
import { localNatsServer } from '../../../cluster/local/nats-binary.ts';
import type { Launch } from '../../../cluster/local/owned-process.ts';
import { projectFolder } from '../../../src/base/project.ts';
import { ContainerProcess } from './container-process.ts';

export const IMAGE = 'millrace-chaos:local';
/** Where the image has the server; a command that names this machine's one runs the image's. */
const SERVER = '/nats-server';
const SYSTEM_FOLDERS = ['/usr', '/lib', '/lib64', '/bin', '/etc'];

export type Engine = { readonly launch: (folder: string) => Launch } | { readonly missing: string };

export async function findEngine(): Promise<Engine> {
  // Its helper container would have to come from a registry; every container of ours is ended here.
  process.env['TESTCONTAINERS_RYUK_DISABLED'] = 'true';
  // Containers share this machine's network: an engine without a bridge will do.
  process.env['TESTCONTAINERS_HOST_OVERRIDE'] = '127.0.0.1';
  let client: ContainerRuntimeClient;
  try {
    client = await getContainerRuntimeClient();
  } catch (error) {
    return { missing: (error as Error).message };
  }
  const natsServer = await localNatsServer();
  await buildImage(natsServer);
  const shared = [...SYSTEM_FOLDERS.filter(existsSync), projectFolder(), dirname(process.execPath)];
  return {
    launch: (folder) => (command) => {
      const isServer = command.program === natsServer;
      return new ContainerProcess({
        ...command,
        ...{ client, image: IMAGE, program: isServer ? SERVER : command.program },
        readOnlyFolders: [...new Set(shared)],
        folder,
      });
    },
  };
}

async function buildImage(natsServer: string): Promise<void> {
  const context = mkdtempSync(join(tmpdir(), 'millrace-image-'));
  try {
    copyFileSync(natsServer, join(context, 'nats-server'));
    writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nCOPY nats-server ${SERVER}\n`);
    await GenericContainer.fromDockerfile(context).build(IMAGE, { deleteOnExit: false });
  } finally {
    rmSync(context, { recursive: true, force: true });
  }
}
