/**
 * Engines for one measurement: nats-server and ClickHouse on free ports in a folder of their own,
 * and Millrace on them, as often as wanted. In: a configuration. Invariant: nothing is left of it
 * after `close`, also when the measurement failed.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineSet, startEngines } from '../../src/cli/run/engine-set.ts';
import { loadSettings } from '../../src/cli/run/settings.ts';
import { createNatsConnection, type NatsLink } from '../../src/log/index.ts';
import { createMillrace, type Millrace } from '../../src/main.ts';
import type { Config } from '../../src/model/config.ts';
import { createQuery, type Query } from '../../src/query/index.ts';

export interface Stage {
  readonly engines: EngineSet;
  readonly link: NatsLink;
  readonly query: Query;
  startMillrace(): Promise<Millrace>;
  close(): Promise<void>;
}

export async function openStage(config: string): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  const file = join(folder, 'millrace.yaml');
  writeFileSync(file, config);
  const settings = loadSettings({ config: file, demo: false, folder });
  const engines = await start(settings.config, folder).catch((error: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  });
  const link = await createNatsConnection({ ...engines.nats, name: 'bench' });
  const query = createQuery(engines.clickhouse);
  return {
    engines,
    link,
    query,
    startMillrace: () =>
      createMillrace({
        config: settings.config,
        nats: engines.nats,
        clickhouse: engines.clickhouse,
        instance: 'bench',
        onTrouble: (what, error) => console.error(what, error.message),
      }),
    async close() {
      await query.close();
      await link.close();
      await engines.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function start(config: Config, folder: string): Promise<EngineSet> {
  return startEngines({
    config,
    folder,
    portsAuto: true,
    onSpawned: () => {},
    onTrouble: (error) => console.error(error.message),
    say: () => {},
    onFailed: (error) => {
      throw error;
    },
  });
}
