/**
 * An audit at size: one partition, killed hard several times while a fleet sends, then `millrace
 * verify`, a changed bit, and `millrace verify` again. In: events, crashes. Out: what both runs
 * said and how long they took.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { exampleFile } from '../src/config/index.ts';
import { Instance, launch } from '../test/support/instance.ts';
import { commit } from './measurement.ts';

const TRUCKS = 1_000;
const SEND_MS_MAX = 900_000;
/** Share of a round's events after which the kill comes. */
const KILL_AFTER_SHARE = 0.4;

export interface AuditOptions {
  readonly events: number;
  readonly crashes: number;
  readonly onStep: (what: string) => void;
}

export async function runAudit({ events, crashes, onStep }: AuditOptions): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-audit-'));
  const config = join(folder, 'millrace.yaml');
  const trucks = readFileSync(exampleFile('trucks'), 'utf8');
  writeFileSync(config, `${trucks}\nlog: { partitions: 1 }\ncheckpoint: { interval: 5s }\n`);
  const instance = new Instance('--config', config);
  try {
    await instance.start();
    const perRound = Math.ceil(events / (crashes + 1));
    for (let round = 0; round <= crashes; round += 1) {
      const before = await recordsIn(instance);
      const args = ['--trucks', `${TRUCKS}`, '--events', `${perRound}`, '--seed', `${round}`];
      const sending = launch('sim', ...args, '--data-dir', instance.folder);
      if (round < crashes) {
        const enough = before + perRound * KILL_AFTER_SHARE;
        await instance.until('records', async () => (await recordsIn(instance)) > enough);
        await instance.kill();
        await sending.result;
        await instance.start();
        onStep(`crash ${round + 1}: ${await recordsIn(instance)} records`);
        await instance.command('sim', ...args);
      } else await sending.result;
    }
    await instance.until('nothing behind', () => isQuiet(instance), SEND_MS_MAX);
    onStep(`${await recordsIn(instance)} records, verifying`);
    const sound = await verify(instance);
    onStep(sound.line);
    const replayed = await instance.command('replay', '--partition', '0', '--name', 'bench');
    onStep(`${replayed.stdout}${replayed.stderr}`);
    const changed = await changeBit(instance);
    const broken = await verify(instance);
    onStep(broken.line);
    return { commit: commit(), crashes, sound, changed, broken };
  } finally {
    await instance.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function recordsIn(instance: Instance): Promise<number> {
  const [row] = await instance.rows<{ n: string }>('SELECT sum(records_in) AS n FROM v_ledger');
  return Number(row?.n ?? 0);
}

async function isQuiet(instance: Instance): Promise<boolean> {
  const { stdout } = await instance.command('status', '--json');
  const { partitions } = JSON.parse(stdout) as { partitions: { behind: string }[] };
  return partitions.every(({ behind }) => Number(behind) < 2);
}

/** The lowest bit of one sum of one minute. */
async function changeBit(instance: Instance): Promise<object> {
  const [row] = await instance.rows<{ device: string; start: string }>(
    `SELECT device, toString(window_start) AS start FROM agg_1m FINAL
     WHERE channel = 'truck' AND fragment = 0 ORDER BY cityHash64(device, window_start) LIMIT 1`,
  );
  await instance.rows(
    `ALTER TABLE agg_1m UPDATE sum = arrayMap((v, i) -> if(i = 1,
       reinterpretAsFloat64(bitXor(reinterpretAsUInt64(v), 1)), v), sum, arrayEnumerate(sum))
     WHERE device = '${row!.device}' AND channel = 'truck' AND fragment = 0
       AND window_start = toDateTime64('${row!.start}', 3, 'UTC') SETTINGS mutations_sync = 1`,
  );
  return row!;
}

async function verify(instance: Instance) {
  const startedMs = systemClock.monotonicMs();
  const { code, stdout, stderr } = await instance.command('verify', '--partition', '0');
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  return { code, seconds, line: `${stdout}${stderr}` };
}
