/**
 * What can go wrong at large: one function per kind of incident. In: the house. Random choices are
 * the scheduler's, so that the seed decides them too.
 */
import type { House, Worker } from './house.ts';
import type { Incident } from './scenario.ts';

const SLEEP_MS = 11 * 60_000;
const SLEEP_ROUNDS = 8;
const DAY_MS = 86_400_000;

export function causeIncident(house: House, kind: Incident): void {
  INCIDENT[kind](house);
}

const seconds = ({ random }: House, least: number, most: number): number =>
  1000 * (least + random.uniform() * (most - least));

const anyWorker = ({ random, workers }: House): Worker => workers[random.integer(workers.length)]!;

const INCIDENT: Readonly<Record<Incident, (house: House) => void>> = {
  crash: (house) => house.crash(anyWorker(house), seconds(house, 0.1, 8)),
  pause: (house) => {
    const { life } = anyWorker(house);
    const untilMs = house.scheduler.nowMs + seconds(house, 0.3, 25);
    life.pausedUntilMs = Math.max(life.pausedUntilMs, untilMs);
  },
  cutOff: (house) => {
    const { name } = anyWorker(house).life;
    const durationMs = seconds(house, 1, 20);
    for (const door of ['log', 'ownership', 'state', 'subjects', 'member'] as const) {
      house.scheduler.outage(door, name, durationMs);
    }
  },
  ownershipOut: (house) => house.scheduler.outage('ownership', '*', seconds(house, 1, 20)),
  clickhouseOut: (house) => house.scheduler.outage('clickhouse', '*', seconds(house, 1, 20)),
  subjectsOut: (house) => house.scheduler.outage('subjects', '*', seconds(house, 1, 10)),
  stateFull: (house) => house.stateStore.fill(seconds(house, 1, 10)),
  silence: (house) => house.membership.silence(anyWorker(house).id, seconds(house, 1, 8)),
  clockStep: (house) => {
    anyWorker(house).clock.aheadMs = (house.random.uniform() - 0.5) * 50_000;
  },
  powerLoss: (house) => {
    house.readModel.losePower();
    for (const worker of house.workers) house.crash(worker, seconds(house, 0.5, 3));
  },
  damage: (house) => {
    const { random, stateStore, log } = house;
    // A purged log could not be replayed: then an honest halt is all there is.
    if (log.wasPurged || stateStore.names.length === 0) return;
    const name = stateStore.names[random.integer(stateStore.names.length)]!;
    stateStore.damage(name, random.chance(0.5) ? 'rots' : 'vanishes');
  },
  stop: (house) => {
    const worker = anyWorker(house);
    const { runtime, life } = worker;
    if (!runtime) return;
    void runtime.stop().then(() => {
      if (life.isAlive) house.crash(worker, seconds(house, 0.2, 4));
    });
    // Whoever does not stop in time is killed.
    house.scheduler.after(20_000, () => {
      if (life.isAlive && worker.life === life) house.crash(worker, 500);
    });
  },
  drain: (house) => {
    const orders = house.membership.orders(anyWorker(house).id);
    orders?.drain(true);
    house.scheduler.after(seconds(house, 1, 8), () => orders?.drain(false));
  },
  pin: (house) => {
    const { random, scenario, membership } = house;
    const partition = random.integer(scenario.partitions);
    membership.pinned = new Map([[partition, anyWorker(house).id]]);
  },
  gatewayCrash: (house) => house.fleet.crash(house.random),
  sleep: (house) => house.sleep(SLEEP_MS),
  // After the trouble: what waits for room goes on once the log was purged, round by round.
  sleepLate: (house) => {
    const healMs = house.scenario.troubleMs - house.scheduler.nowMs;
    for (let round = 0; round < SLEEP_ROUNDS; round += 1) {
      const atMs = healMs + 20_000 + round * (SLEEP_MS + 20_000);
      house.scheduler.after(atMs, () => house.sleep(SLEEP_MS));
    }
  },
  leaderAhead: (house) => {
    house.log.aheadMs = DAY_MS;
    house.scheduler.after(seconds(house, 0.5, 3), () => {
      house.log.aheadMs = 0;
      // A day later the stamps are no longer in the future: nobody does anything meanwhile.
      house.scheduler.after(1_000, () => house.sleep(DAY_MS));
    });
  },
  // Power fails, and of one partition the log forgets what a checkpoint has applied. It grows
  // again, often beyond where it was, before the workers are back; devices send what is missing.
  tailLoss: (house) => {
    const { random, scenario, log, ownership, fleet } = house;
    const partition = random.integer(scenario.partitions);
    const position = Number(ownership.record(partition)?.position ?? 0);
    const keep = position - 1 - random.integer(6);
    if (keep < Number(log.first(partition))) return;
    for (const worker of house.workers) house.crash(worker, seconds(house, 0.5, 3));
    const lost = log.loseTail(partition, BigInt(keep));
    for (let each = random.integer(12); each > 0; each -= 1) {
      log.append({ kind: 'tick', partition, body: new Uint8Array(0) });
    }
    for (const { subject, payload } of lost) {
      if (subject.endsWith('.plan')) log.append({ kind: 'plan', partition, body: payload });
      if (subject.endsWith('.batch')) fleet.sendAgain(JSON.parse(Buffer.from(payload).toString()));
    }
  },
};
