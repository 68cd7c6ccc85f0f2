/**
 * The whole journey: a simulated fleet through ingest, log, kernel and inserts, until every row can
 * be queried. In: how many events. Out: wall time from the first record to the last visible row,
 * processor time of all processes, and a hash of what the views then say.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { fleetMetrics } from '../src/cli/run/demo.ts';
import { startEngines } from '../src/cli/run/engine-set.ts';
import { loadSettings } from '../src/cli/run/settings.ts';
import { createMillrace, type Millrace } from '../src/main.ts';
import { createQuery, type Query } from '../src/query/index.ts';
import { runSimulation, Simulation } from '../src/sim/index.ts';
import { commit, type Measurement, treeCpuSeconds } from './measurement.ts';

/** A fixed start keeps the result the same in every run; the plan must not find it too old. */
const START_MS = Date.UTC(2026, 0, 1);
const STEP_MS = 10_000;
const TRUCKS = 1_000;
const SEED = 1;
const VISIBLE_MS_MAX = 600_000;

export async function runJourney(events: number): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  try {
    const settings = loadSettings({ demo: true, folder });
    const config = {
      ...settings.config,
      channels: settings.config.channels.map((channel) => ({
        ...channel,
        age: { ...channel.age, policy: 'accept' as const },
        retentionMs: 0,
      })),
    };
    const engines = await startEngines({
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
    const millrace = await createMillrace({
      config,
      nats: engines.nats,
      clickhouse: engines.clickhouse,
      instance: 'bench',
      onTrouble: (what, error) => console.error(what, error.message),
    });
    const query = createQuery(engines.clickhouse);
    const measured = await measure(millrace, query, events);
    await query.close();
    await millrace.stop();
    await engines.stop();
    return measured;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(millrace: Millrace, query: Query, events: number): Promise<Measurement> {
  const simulation = new Simulation({
    seed: SEED,
    trucks: TRUCKS,
    startMs: START_MS,
    stepMs: STEP_MS,
    metrics: fleetMetrics(millrace.plan),
  });
  const newest = new Map<number, bigint>();
  const startedMs = systemClock.monotonicMs();
  const startedCpu = treeCpuSeconds(process.pid);
  await runSimulation(
    {
      simulation,
      send: async (record) => {
        const position = await millrace.ingest.admit(record);
        const before = newest.get(position.partition) ?? 0n;
        if (position.sequence > before) newest.set(position.partition, position.sequence);
        return position;
      },
      clock: systemClock,
      eventsPerSecond: 0,
      eventsMax: events,
      onAcknowledged: () => {},
      onRefused: (_, error) => {
        throw error;
      },
    },
    new AbortController().signal,
  );
  for (const [partition, sequence] of newest) {
    const seen = await query.waitVisible(partition, sequence, VISIBLE_MS_MAX);
    if (!seen) throw new Error(`partition ${partition}: ${sequence} not visible`);
  }
  const wallSeconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const cpuSeconds = treeCpuSeconds(process.pid) - startedCpu;
  return {
    workload: 'journey',
    case: 'batch-truck',
    subject: 'millrace',
    events,
    wallSeconds,
    cpuMicrosPerEvent: (cpuSeconds * 1e6) / events,
    eventsPerSecond: events / wallSeconds,
    resultHash: await resultHash(query),
    commit: commit(),
  };
}

async function resultHash(query: Query): Promise<string> {
  const [{ hash }] = await query.rows<{ hash: string }>(
    `SELECT hex(groupBitXor(cityHash64(tenant, site, device, event_time, latitude, longitude,
     velocity, fuel_consumption))) AS hash FROM v_truck`,
  );
  return hash;
}
