/** The nats-server that a local cluster runs: the one `millrace up` would run. Out: its path. */
import { join } from 'node:path';
import { projectFolder } from '../../src/base/project.ts';
import { environment } from '../../src/config/index.ts';
import { findNatsServer } from '../../src/engine/nats/index.ts';

export async function localNatsServer(): Promise<string> {
  const found = await findNatsServer({
    ...(environment.natsServer ? { explicitPath: environment.natsServer } : {}),
    searchPath: environment.searchPath,
    toolsFolder: join(projectFolder(), '.tools', 'nats-server'),
    say: () => {},
  });
  return found.path;
}
