#!/usr/bin/env node
/**
 * The command line: one program, one file per command. In: arguments. Out: text for people, or JSON
 * with `--json`; an exit code from cli/exit.ts. Errors of the environment are told with what to do;
 * anything else is a bug and shows its stack.
 */
import { Command, CommanderError } from 'commander';
import { EXIT, exitCodeOf } from './exit.ts';
import { reportError } from './report.ts';
import { clusterCommand } from './run/cluster.ts';
import { doctorCommand } from './run/doctor.ts';
import { lintCommand } from './run/lint.ts';
import { resetCommand } from './run/reset.ts';
import { statusCommand } from './run/status.ts';
import { stopCommand } from './run/stop.ts';
import { upCommand } from './run/up.ts';
import { dlqCommand } from './use/dlq.ts';
import { ingestCommand } from './use/ingest.ts';
import { ledgerCommand } from './use/ledger.ts';
import { queryCommand } from './use/query.ts';
import { recomputeCommand } from './use/recompute.ts';
import { replayCommand } from './use/replay.ts';
import { savepointCommand } from './use/savepoint.ts';
import { simCommand } from './use/sim.ts';
import { tailCommand } from './use/tail.ts';
import { verifyCommand } from './use/verify.ts';
import { version } from './version.ts';

const EXAMPLES = `
Examples:
  $ millrace up --demo                  everything on this machine, with a simulated fleet
  $ millrace query "SELECT count() FROM v_truck"
  $ millrace tail 'agg.1m.>'            window facts as they are published
  $ millrace ledger                     in = out, per partition and block of the log

Exit codes: 0 done · 1 trouble of the environment · 2 wrong usage, input or configuration ·
3 nothing is running · 4 a check failed · 5 stored rows differ from the log · 6 part of the log
cannot be verified any more · 130 interrupted`;

export function createProgram(): Command {
  const program = new Command('millrace')
    .description('Turns the messages of a device fleet into queryable, subscribable facts.')
    .version(version(), '-V, --version')
    .showHelpAfterError('(run with --help for options and examples)')
    .addHelpText('after', EXAMPLES)
    .exitOverride();
  const commands = [
    upCommand,
    ingestCommand,
    simCommand,
    queryCommand,
    tailCommand,
    ledgerCommand,
    dlqCommand,
    verifyCommand,
    replayCommand,
    recomputeCommand,
    lintCommand,
    doctorCommand,
    statusCommand,
    clusterCommand,
    savepointCommand,
    stopCommand,
    resetCommand,
  ];
  for (const command of commands) program.addCommand(command().exitOverride());
  return program;
}

const isClosedPipe = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException)?.code === 'EPIPE';

// `millrace query … | head` ends the reader first: that is no error of ours.
process.stdout.on('error', (error) => process.exit(isClosedPipe(error) ? EXIT.done : EXIT.trouble));

try {
  await createProgram().parseAsync();
} catch (error) {
  if (isClosedPipe(error)) process.exitCode = EXIT.done;
  else if (error instanceof CommanderError)
    process.exitCode = error.exitCode === 0 ? 0 : EXIT.usage;
  else {
    reportError(error, process.argv.includes('--json'));
    process.exitCode = exitCodeOf(error);
  }
}
