/**
 * The only place that reads the process environment. In: variables of the process. Out: named values,
 * an empty variable counts as absent. Read at each call, so that a test may set one.
 */
const read = (name: string): string | undefined => process.env[name] || undefined;

export const environment = {
  /** Path of the nats-server binary to use instead of any other. */
  get natsServer(): string | undefined {
    return read('MILLRACE_NATS_SERVER');
  },
  /** Folders in which programs are searched, separated as the platform does. */
  get searchPath(): string {
    return read('PATH') ?? '';
  },
  /** True on a build machine: what is only skipped locally must fail there. */
  get isBuildMachine(): boolean {
    return read('CI') !== undefined;
  },
};
