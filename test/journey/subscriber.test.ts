import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { expect } from 'chai';
import { systemClock } from '../../src/base/clock.ts';
import { fleetMetrics } from '../../src/cli/run/demo.ts';
import { exampleFile } from '../../src/config/index.ts';
import { createIngest } from '../../src/ingest/index.ts';
import {
  createLogAppender,
  createLogReader,
  createNatsConnection,
  type NatsLink,
} from '../../src/log/index.ts';
import type { Plan } from '../../src/model/plan.ts';
import { createPlanStore, parsePlan } from '../../src/registry/index.ts';
import { runSimulation, Simulation } from '../../src/sim/index.ts';
import { Instance } from '../support/instance.ts';

const EVENTS = 20_000;
const MINUTES_BACK = 60;

/** What a service sees of a window, as the row of agg_1m has it. */
interface WindowRow {
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
  readonly channel: string;
  readonly windowStartMs: number;
  readonly fragment: string;
  readonly versionNumber: string;
  readonly revision: number;
  readonly metrics: readonly { metric: string; count: number; sum: number; last: number }[];
}

const keyOf = (row: WindowRow) =>
  [row.tenant, row.site, row.device, row.channel, row.windowStartMs, row.fragment].join('/');

describe('a service that subscribes with the plain NATS client', function () {
  this.timeout(180_000);
  const instance = new Instance();
  let service: NatsConnection;
  let link: NatsLink;
  const kept = new Map<string, WindowRow>();
  const seen = { messages: 0, stale: 0 };

  before(async () => {
    const config = join(instance.folder, 'trucks.yaml');
    const text = readFileSync(exampleFile('trucks'), 'utf8');
    writeFileSync(
      config,
      text.replaceAll('format: protobuf', 'format: protobuf\n    idle: 2s\n    outOfOrder: 1m'),
    );
    await instance.start('--config', config);
    service = await connect({ servers: instance.state.nats.url });
    service.subscribe('agg.1m.>', {
      callback: (_, message) => {
        const row = message.json<WindowRow>();
        const before = kept.get(keyOf(row));
        seen.messages += 1;
        if (!before || BigInt(row.versionNumber) >= BigInt(before.versionNumber)) {
          kept.set(keyOf(row), row);
        } else seen.stale += 1;
      },
    });
    await service.flush();
    link = await createNatsConnection({ ...instance.state.nats, name: 'test' });
    await send();
  });
  after(async () => {
    await service?.close();
    await link?.close();
    await instance.dispose();
  });

  async function send(): Promise<void> {
    const store = await createPlanStore(link.nc, 'main');
    const plan: Plan = parsePlan((await store.load())!);
    const ingest = createIngest({
      appender: createLogAppender({ link, logId: 'main' }),
      log: createLogReader({ link, logId: 'main' }),
      partitions: instance.state.partitions,
      clock: systemClock,
    });
    const simulation = new Simulation({
      seed: 11,
      trucks: 50,
      startMs: systemClock.nowMs() - MINUTES_BACK * 60_000,
      stepMs: 10_000,
      metrics: fleetMetrics(plan),
    });
    await runSimulation(
      {
        simulation,
        send: (record) => ingest.admit(record),
        clock: systemClock,
        eventsPerSecond: 0,
        eventsMax: EVENTS,
        onAcknowledged: () => {},
        onRefused: (_, error) => expect.fail(String(error)),
      },
      new AbortController().signal,
    );
    await ingest.stop();
  }

  it('ends with exactly the rows of agg_1m when it keeps the highest version per key', async () => {
    await instance.until('every stored sample is in a minute', async () => {
      const [{ samples, counted }] = await instance.rows<{ samples: string; counted: string }>(
        `SELECT (SELECT count() FROM v_truck) AS samples,
         (SELECT sum(count) FROM v_agg_1m WHERE channel = 'truck' AND metric = 'heading')
         AS counted`,
      );
      return Number(samples) > EVENTS / 3 && samples === counted;
    });
    // Rows and facts travel on paths of their own: wait until both have come to rest.
    await instance.until('as many facts as rows', async () => {
      const [{ n }] = await instance.rows<{ n: string }>('SELECT count() AS n FROM agg_1m FINAL');
      return Number(n) === kept.size;
    });
    const rows = await instance.rows<{
      tenant: string;
      site: string;
      device: string;
      channel: string;
      start: string;
      fragment: string;
      version: string;
      revision: number;
      metric: string[];
      count: string[];
      sum: number[];
      last: number[];
    }>(
      `SELECT tenant, site, device, channel, toUnixTimestamp64Milli(window_start) AS start,
       fragment, toString(version) AS version, revision, metric, count, sum, last
       FROM agg_1m FINAL WHERE NOT is_deleted`,
    );
    const fromTable = rows.map((row) => ({
      key: keyOf({ ...row, windowStartMs: Number(row.start) } as never),
      version: row.version,
      revision: row.revision,
      metrics: row.metric.map((metric, at) => ({
        metric,
        count: Number(row.count[at]),
        sum: row.sum[at],
        last: row.last[at],
      })),
    }));
    const fromSubject = [...kept].map(([key, fact]) => ({
      key,
      version: fact.versionNumber,
      revision: fact.revision,
      metrics: fact.metrics.map(({ metric, count, sum, last }) => ({ metric, count, sum, last })),
    }));
    const order = (left: { key: string }, right: { key: string }) =>
      left.key < right.key ? -1 : 1;
    expect(fromSubject.length).to.be.above(1000);
    expect(fromSubject.sort(order)).to.deep.equal(fromTable.sort(order));
  });

  it('finds the reported state of every truck in the shadow bucket', async () => {
    const shadows = await link.request('$JS.API.STREAM.INFO.KV_shadow', new Uint8Array());
    expect(shadows.json<{ state: { messages: number } }>().state.messages).to.equal(50);
  });

  it('may not write into the log, except as a device on its own subject', async () => {
    const refused = await service.request('log.main.0.batch', 'x', { timeout: 1000 }).then(
      () => 'stored',
      () => 'refused',
    );
    expect(refused).to.equal('refused');
    const reply = await service.request('iot.demo.East.truck_0.t.truck', 'x', { timeout: 5000 });
    expect(reply.json<{ stream: string }>().stream).to.match(/^LOG_main_/);
  });
});
