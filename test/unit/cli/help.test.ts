import { expect } from 'chai';
import type { Command } from 'commander';
import { doctorCommand } from '../../../src/cli/run/doctor.ts';
import { lintCommand } from '../../../src/cli/run/lint.ts';
import { resetCommand } from '../../../src/cli/run/reset.ts';
import { statusCommand } from '../../../src/cli/run/status.ts';
import { stopCommand } from '../../../src/cli/run/stop.ts';
import { upCommand } from '../../../src/cli/run/up.ts';
import { dlqCommand } from '../../../src/cli/use/dlq.ts';
import { ingestCommand } from '../../../src/cli/use/ingest.ts';
import { ledgerCommand } from '../../../src/cli/use/ledger.ts';
import { queryCommand } from '../../../src/cli/use/query.ts';
import { recomputeCommand } from '../../../src/cli/use/recompute.ts';
import { replayCommand } from '../../../src/cli/use/replay.ts';
import { simCommand } from '../../../src/cli/use/sim.ts';
import { tailCommand } from '../../../src/cli/use/tail.ts';
import { verifyCommand } from '../../../src/cli/use/verify.ts';

const TOP = [
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
  stopCommand,
  resetCommand,
].map((create) => create());
const ALL = TOP.flatMap((command) => [command, ...command.commands]);

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) }).outputHelp();
  return text;
}

describe('help', () => {
  for (const command of ALL) {
    it(`${command.name()}: says what it does, with examples and --json`, () => {
      const help = helpOf(command);
      expect(command.description()).to.match(/\w/);
      expect(help).to.contain('Examples:').and.to.contain(`$ millrace`);
      if (command.commands.length === 0) expect(help).to.contain('--json');
    });
  }
});

describe('usage', () => {
  const WRONG: readonly [command: string, args: string[], says: string][] = [
    ['ingest', ['a.csv'], "required option '--channel <name>' not specified"],
    ['ingest', ['a.csv', '--channel', 'c', '--rate', '0'], 'from 1 on'],
    ['ingest', ['a.csv', '--channel', 'c', '--unit', 'Cel'], 'Expected NAME=VALUE'],
    ['ingest', ['a.csv', '--channel', 'c', '--time-format', 'day'], 'iso8601, s, ms, us, ns'],
    ['verify', ['--partition', 'all'], 'Expected a whole number'],
    ['replay', ['--from', '-1'], 'Expected a whole number'],
    ['recompute', ['--device', 'truck_1', '--from', '2026-01-01', '--to', '2026-01-02'], 'TENANT'],
    ['recompute', ['--device', 'a/b/c', '--from', 'today', '--to', '2026-01-02'], 'a time such as'],
    ['sim', ['--rate', 'fast'], 'Expected a whole number'],
    ['sim', ['--start', 'tomorrow'], 'Expected a time'],
    ['tail', ['--count', 'x'], 'Expected a whole number'],
    ['ls', ['--since', 'yesterday'], 'Expected a duration such as'],
    ['show', ['-1', '2'], 'Expected a whole number'],
    ['show', ['1'], "missing required argument 'sequence'"],
  ];
  for (const [name, args, says] of WRONG) {
    it(`${name} ${args.join(' ')}: ${says}`, async () => {
      const command = ALL.find((each) => each.name() === name)!;
      let text = '';
      command.exitOverride().configureOutput({ writeErr: (part) => (text += part) });
      const error = await command
        .parseAsync(args, { from: 'user' })
        .catch((thrown: unknown) => thrown);
      expect(error).to.have.property('exitCode', 1);
      expect(text).to.contain(says);
    });
  }
});
