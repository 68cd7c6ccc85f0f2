/**
 * What a chaos run has to say: one JSON line for machines, a page for people, and what was not as
 * promised. In: the outcome of a run.
 */
import type { ChaosOutcome } from './chaos.ts';
import { failoversOf, natsStallsOf, percentile } from './check/failover.ts';
import { FAULT_KINDS, type FaultKind } from './plan.ts';

export interface ChaosFigures {
  readonly events: number;
  readonly faults: number;
  readonly faultsByKind: Readonly<Record<string, number>>;
  readonly lost: number;
  readonly duplicated: number;
  readonly unknown: number;
  readonly orderViolations: number;
  readonly ledgerBalanced: boolean;
  /** Of workers; null: none could be counted. */
  readonly failoverMsP50: number | null;
  readonly failoverMsP99: number | null;
  /** Of partitions whose leader was killed. */
  readonly natsStallMsP99: number | null;
  readonly seed: number;
  readonly commit: string;
}

export function figuresOf(outcome: ChaosOutcome): ChaosFigures {
  const { findings, faults, options } = outcome;
  const gaps = failoversOf(faults, outcome.factTimes, outcome.loadEndMs).map(({ gapMs }) => gapMs);
  const led = natsStallsOf(faults, outcome.stalls).filter(({ wasLed }) => wasLed);
  return {
    events: outcome.events,
    faults: faults.length,
    faultsByKind: Object.fromEntries(
      FAULT_KINDS.map((kind) => [kind, countOf(outcome, kind)] as const),
    ),
    lost: findings.lost,
    duplicated: findings.duplicated,
    unknown: outcome.unknown,
    orderViolations: findings.orderViolations,
    ledgerBalanced: findings.ledgerBalanced,
    failoverMsP50: percentile(gaps, 0.5),
    failoverMsP99: percentile(gaps, 0.99),
    natsStallMsP99: percentile(
      led.map(({ stallMs }) => stallMs),
      0.99,
    ),
    seed: options.seed,
    commit: outcome.commit,
  };
}

const countOf = ({ faults }: ChaosOutcome, kind: FaultKind): number =>
  faults.filter((fault) => fault.kind === kind).length;

/** What must hold in every run, however short; empty when all of it does. */
export function brokenPromises(outcome: ChaosOutcome): string[] {
  const { findings, options } = outcome;
  const kinds = options.kinds ?? FAULT_KINDS;
  const missing = options.minutes === 0 ? [] : kinds.filter((kind) => countOf(outcome, kind) === 0);
  const failed = outcome.faults.filter(({ error }) => error !== null);
  const claims: [boolean, string][] = [
    [findings.lost === 0, `${findings.lost} acknowledged events are lost`],
    [findings.duplicated === 0, `${findings.duplicated} events are counted more than once`],
    [findings.orderViolations === 0, `${findings.orderViolations} rows are out of order`],
    [findings.windowsEqual, 'v_agg_1m is not what it must be, byte for byte'],
    [findings.ledgerBalanced, 'the ledger does not balance or does not equal the rows'],
    [outcome.lagZeroMs !== null, 'the lag did not return to zero'],
    [outcome.unknown === 0, `${outcome.unknown} events were never answered`],
    [missing.length === 0, `these faults did not happen: ${missing.join(', ')}`],
    [
      failed.length === 0,
      `faults that went wrong: ${failed.map(({ kind, error }) => `${kind} (${error})`).join(', ')}`,
    ],
  ];
  return claims.filter(([holds]) => !holds).map(([, claim]) => claim);
}

const ms = (value: number | null): string => (value === null ? 'not measured' : `${value} ms`);

export function reportText(outcome: ChaosOutcome, broken: readonly string[]): string {
  const figures = figuresOf(outcome);
  const { options, findings, faults } = outcome;
  const failovers = failoversOf(faults, outcome.factTimes, outcome.loadEndMs);
  const stalls = natsStallsOf(faults, outcome.stalls);
  const gapsOf = (kind: FaultKind) =>
    failovers.filter((each) => each.kind === kind).map(({ gapMs }) => gapMs);
  const stallsOf = (wasLed: boolean) =>
    stalls.filter((each) => each.wasLed === wasLed).map(({ stallMs }) => stallMs);
  const row = (name: string, values: readonly number[]) =>
    `| ${name} | ${values.length} | ${ms(percentile(values, 0.5))} | ` +
    `${ms(percentile(values, 0.99))} | ${ms(percentile(values, 1))} |`;
  const fenced = sumOf(
    outcome.troubles.filter(([, code]) => code === 'NOT_OWNER').map(([, , count]) => count),
  );
  const command = `npm run chaos -- --minutes ${options.minutes} --seed ${options.seed}`;
  const title = broken.length === 0 ? 'everything as promised' : 'NOT AS PROMISED';
  const counts = [figures.lost, figures.duplicated, figures.orderViolations].join(' · ');
  const equal = `${findings.windowsEqual ? 'yes' : 'NO'}, ${findings.windows}`;
  const deaths = outcome.deaths.map(({ name, how }) => `${name} (${how})`).join(', ');
  const told = outcome.troubles.map(([name, code, count]) => `${name} ${code} × ${count}`);
  const missing = outcome.notPossible.join(', ');
  const differences = findings.differences.map((line) => `* ${line}`).join('\n');
  return `# Chaos: ${title}

\`${command}\` at ${figures.commit}: three nats-servers (every stream three times),
${options.workers} workers, one ClickHouse, real processes on one machine, under
${options.eventsPerSecond} events/s.
${broken.map((claim) => `\n* **${claim}**`).join('')}

| | |
|---|---|
| events acknowledged | ${figures.events} in ${outcome.loadSeconds.toFixed(0)} s |
| faults | ${figures.faults} |
| lost · duplicated · out of order | ${counts} |
| never answered (unknown) | ${figures.unknown} |
| rows of \`v_agg_1m\` equal to the oracle | ${equal} |
| ledger balanced and equal to the rows | ${figures.ledgerBalanced ? 'yes' : 'NO'} |
| records sent again after a lost reply | ${outcome.retried} |
| lag back at zero after the load's end | ${ms(outcome.lagZeroMs)} |

## How long partitions stood still

From the last new fact to the next one, windows of one second; only where no fault of NATS was open.

| | partitions | p50 | p99 | longest |
|---|---|---|---|---|
${row('worker killed', gapsOf('worker-kill'))}
${row('worker paused for 20 s', gapsOf('worker-pause'))}

Without an acknowledged append after a nats-server was killed (an election; 0: shorter than 250 ms):

| | partitions | p50 | p99 | longest |
|---|---|---|---|---|
${row('its leader was killed', stallsOf(true))}
${row('led by another server', stallsOf(false))}

## What happened

| fault | times | seconds in all |
|---|---|---|
${FAULT_KINDS.map((kind) => {
  const own = faults.filter((fault) => fault.kind === kind);
  const seconds = sumOf(own.map(({ durationMs }) => durationMs)) / 1000;
  return `| ${kind} | ${own.length} | ${seconds.toFixed(0)} |`;
}).join('\n')}
${missing ? `\nNot possible here (no file system may be mounted): ${missing}.\n` : ''}
Workers were fenced (\`NOT_OWNER\`) ${fenced} times; ${outcome.factsAgain} facts came again with the
version they had. Processes that ended by themselves: ${deaths || 'none'}.

What workers told: ${told.join(', ') || 'nothing'}.
${differences ? `\n## Differences\n\n${differences}\n` : ''}`;
}

const sumOf = (values: readonly number[]): number =>
  values.reduce((total, value) => total + value, 0);
