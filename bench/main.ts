/**
 * `npm run bench -- journey [--events N] [--json]`: runs one workload and prints what it measured.
 * Every measurement is one line {workload, case, subject, events, wallSeconds, cpuMicrosPerEvent,
 * eventsPerSecond, resultHash, commit}.
 */
import { Command } from 'commander';
import { anomalyCommand } from './anomaly/command.ts';
import { drainCommand } from './drain/command.ts';
import { insertCommand } from './insert/command.ts';
import { runJourney } from './journey.ts';
import { kernelCommand } from './kernel/command.ts';
import { microCommand } from './micro/command.ts';
import { parseCommand } from './parse/command.ts';
import { queryCommand } from './query/command.ts';
import { recoveryCommand } from './recovery/command.ts';
import { sustainedCommand } from './sustained/command.ts';
import { runAudit } from './verify.ts';

const program = new Command('bench').description('the benchmark harness of Millrace');

program
  .command('journey')
  .description('truck events from ingest to rows that can be queried, embedded engines')
  .option('--events <count>', 'events to send', '200000')
  .option('--small', 'a size that fits into a test run')
  .option('--json', 'one JSON line per measurement')
  .action(async (options: { events: string; small?: boolean; json?: boolean }) => {
    const events = options.small ? 5_000 : Number(options.events);
    if (!Number.isSafeInteger(events) || events < 1) {
      program.error(`--events ${options.events}: expected a whole number of at least 1`);
    }
    const measurement = await runJourney(events);
    if (options.json) process.stdout.write(`${JSON.stringify(measurement)}\n`);
    else for (const [name, value] of Object.entries(measurement)) console.log(`${name}: ${value}`);
    process.exit(0);
  });

program
  .command('verify')
  .description('millrace verify over a partition that was killed hard several times')
  .option('--events <count>', 'events to send', '1000000')
  .option('--crashes <count>', 'kills amid sending', '5')
  .action(async (options: { events: string; crashes: string }) => {
    const result = await runAudit({
      events: Number(options.events),
      crashes: Number(options.crashes),
      onStep: (what) => console.error(what),
    });
    process.stdout.write(`${JSON.stringify(result)}\n`);
    process.exit(0);
  });

program.addCommand(drainCommand());
program.addCommand(insertCommand());
program.addCommand(sustainedCommand());
program.addCommand(kernelCommand());
program.addCommand(parseCommand());
program.addCommand(microCommand());
program.addCommand(anomalyCommand());
program.addCommand(recoveryCommand());
program.addCommand(queryCommand());

await program.parseAsync();
