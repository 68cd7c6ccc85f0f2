/**
 * The only place that reads the process environment. In: variables of the process. Out: named
 * values, an empty variable counts as absent. Read at each call, so that a test may set one.
 */
const read = (name: string): string | undefined => process.env[name] || undefined;

/**
 * Variables that are no options of the configuration; anything near to an option gets a warning.
 */
export const KNOWN_VARIABLES: readonly string[] = [
  'MILLRACE_CLOCK_FILE',
  'MILLRACE_CONFIG',
  'MILLRACE_DATA_DIR',
  'MILLRACE_NATS_SERVER',
];

export const environment = {
  /** A file with milliseconds by which this process's wall clock is off: for tests only. */
  get clockFile(): string | undefined {
    return read('MILLRACE_CLOCK_FILE');
  },
  /** Path of the configuration file when the command line names none. */
  get configFile(): string | undefined {
    return read('MILLRACE_CONFIG');
  },
  /** Data folder when the command line names none. */
  get dataFolder(): string | undefined {
    return read('MILLRACE_DATA_DIR');
  },
  /** All MILLRACE_* variables: `loadConfig` takes the options among them. */
  get variables(): Readonly<Record<string, string | undefined>> {
    const ours = Object.entries(process.env).filter(([name]) => name.startsWith('MILLRACE_'));
    return Object.fromEntries(ours);
  },
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
