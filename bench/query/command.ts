/**
 * `npm run bench -- query`: the questions of docs/analyst-queries.md through the product's views,
 * and beside each the same without FINAL. The small size checks every answer against one computed
 * without SQL.
 */
import { Command, type Command as Program } from 'commander';
import { commit } from '../measurement.ts';
import { ANSWERS } from './answer.ts';
import { checkAnswer } from './check.ts';
import { endMs, type Fleet, fleetOf } from './fleet.ts';
import { questionAt, questionNames } from './question.ts';
import { readSamples } from './sample.ts';
import { openStage, type Stage } from './stage.ts';
import { measureQuestion } from './timing.ts';

const TRUCKS = 200;
/** One truck at least in the partitions that are recomputed and cut; two days
 * and a quarter of an hour that is still open. */
const SMALL: Fleet = { trucks: 16, steps: 17_280 + 90 };
const RUNS = 3;
const RUNS_SMALL = 1;

interface Options {
  readonly readings: string;
  readonly small?: boolean;
  readonly json?: boolean;
  readonly folder?: string;
  readonly case?: string;
}

export function queryCommand(): Command {
  return new Command('query')
    .description("a truck fleet's questions through the views, and what FINAL costs")
    .option(
      '--readings <count>',
      'readings in v_truck; v_diagnostics has three sevenths',
      '100000000',
    )
    .option('--small', 'a size that fits into a test run; answers are checked without SQL')
    .option('--folder <path>', 'keeps the tables there; used as they are when they are filled')
    .option('--case <name>', 'only this question')
    .option('--json', 'one JSON line per question')
    .action(async (options: Options, command: Program) => {
      const readings = Number(options.readings);
      if (!Number.isSafeInteger(readings) || readings < 1) {
        command.error(`--readings ${options.readings}: expected a whole number of at least 1`);
      }
      const names = questionNames().filter((name) => name === (options.case ?? name));
      if (names.length === 0) {
        command.error(`--case ${options.case}: expected one of ${questionNames().join(', ')}`);
      }
      await run(names, options, readings);
      process.exit(0);
    });
}

async function run(names: readonly string[], options: Options, readings: number): Promise<void> {
  const fleet = options.small ? SMALL : fleetOf(readings, TRUCKS);
  const folder = options.folder ?? null;
  const say = (text: string) => console.error(text);
  const stage = await openStage({ fleet, folder, say });
  try {
    const size = await sizeOf(stage);
    const samples = options.small ? await readSamples(stage.connection, stage.database) : null;
    for (const name of names) {
      const sql = questionAt(name, endMs(fleet));
      const measured = await measureQuestion(stage, sql, options.small ? RUNS_SMALL : RUNS);
      if (samples !== null) {
        const compute = ANSWERS[name];
        if (compute === undefined) throw new Error(`${name}: no answer without SQL`);
        checkAnswer(name, measured.answer, compute(samples, endMs(fleet)));
      }
      const { views, withoutFinal, answer, hash } = measured;
      const line = {
        ...{ workload: 'query', case: name, ...size, views, withoutFinal },
        ...{ rows: answer.length, isChecked: samples !== null },
        ...{ resultHash: hash, commit: commit() },
      };
      console.log(options.json ? JSON.stringify(line) : JSON.stringify(line, null, 2));
    }
  } finally {
    await stage.stop();
  }
}

/** Readings that count, rows that are stored, and in how many parts: what FINAL has to merge. */
async function sizeOf({ connection, views, database }: Stage) {
  const [counted] = await views.rows<{ truck: string; diagnostics: string }>(
    'SELECT (SELECT count() FROM v_truck) AS truck, ' +
      '(SELECT count() FROM v_diagnostics) AS diagnostics',
  );
  const [stored] = await connection.rows<{ rows: string; parts: string; bytes: string }>(
    'SELECT sum(rows) AS rows, count() AS parts, sum(bytes_on_disk) AS bytes FROM system.parts ' +
      `WHERE active AND database = '${database}' AND startsWith(table, 'ch_')`,
  );
  return {
    truckSamples: Number(counted!.truck),
    diagnosticsSamples: Number(counted!.diagnostics),
    storedRows: Number(stored!.rows),
    storedParts: Number(stored!.parts),
    storedBytes: Number(stored!.bytes),
  };
}
