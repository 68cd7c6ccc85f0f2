/**
 * The test report: mocha's own, and as the very last line of the output `N passed, N failed, N
 * skipped`. In: mocha's runner. Invariant: a run that does not end by itself is a failure: what
 * keeps it alive is listed, and the run is ended, after EXIT_WAIT_MS.
 */
import Mocha from 'mocha';

/** Closing connections and workers takes a moment after the last test. */
const EXIT_WAIT_MS = Number(process.env['MILLRACE_TEST_EXIT_WAIT_MS'] ?? 10_000);

export default class Reporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    let hasEnded = false;
    let isStuck = false;
    runner.once('end', () => {
      hasEnded = true;
      // Does not keep the process alive itself: it fires only when something else does.
      setTimeout(() => {
        console.error(`\nThe run did not end by itself. What keeps it alive:\n${openHandles()}`);
        isStuck = true;
        // Mocha sets the exit code in a listener of its own; this one comes after it.
        process.once('exit', () => {
          process.exitCode = 1;
        });
        process.exit(1);
      }, EXIT_WAIT_MS).unref();
    });
    process.once('exit', () => {
      const { passes = 0, failures = 0, pending = 0 } = this.stats ?? {};
      // A test that ends the process must not look like a run that passed.
      const failed = failures + (isStuck || !hasEnded ? 1 : 0);
      if (failed > 0) process.exitCode = 1;
      const skipped = pending === 0 ? '' : `, ${pending} skipped`;
      process.stdout.write(`${passes} passed, ${failed} failed${skipped}\n`);
    });
  }
}

/** One line per open handle, with what is known about it. */
function openHandles(): string {
  const { _getActiveHandles: handles } = process as unknown as { _getActiveHandles(): unknown[] };
  const lines = handles
    .call(process)
    .filter((handle) => ![process.stdin, process.stdout, process.stderr].includes(handle as never))
    .map(describe);
  return [...lines, `resources: ${process.getActiveResourcesInfo().join(', ')}`]
    .map((line) => `  ${line}`)
    .join('\n');
}

function describe(handle: unknown): string {
  const known = ['spawnfile', 'pid', 'localPort', 'remotePort', 'threadId', 'path'] as const;
  const fields = handle as Record<string, unknown>;
  const details = known
    .filter((name) => ['string', 'number'].includes(typeof fields[name]))
    .map((name) => `${name}=${fields[name]}`);
  return [(handle as object).constructor.name, ...details].join(' ');
}
