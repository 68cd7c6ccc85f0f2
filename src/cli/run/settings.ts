/**
 * The configuration of a data folder: a YAML file, the channels that were declared on the running
 * instance (one file each in `<folder>/channels`), and the environment.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { environment, exampleFile, type LoadedConfig, loadConfig } from '../../config/index.ts';
import type { Config } from '../../model/config.ts';
import { OperatingError } from '../../model/error.ts';
import { ID_PATTERN } from '../../model/record.ts';
import { type ChannelDeclaration, checkUnits } from '../../registry/index.ts';

export const CONFIG_FILE = 'millrace.yaml';

export interface SettingsOptions {
  /** `--config`; absent: ./millrace.yaml when it is there, else the demo's or the defaults. */
  readonly config?: string;
  readonly demo: boolean;
  readonly folder: string;
}

export interface Settings extends LoadedConfig {
  /** Checks a declaration together with everything else and keeps it for later starts. */
  readonly declare: (declaration: ChannelDeclaration) => Promise<Config>;
}

export function loadSettings(options: SettingsOptions): Settings {
  const file = configFile(options);
  const channels = join(options.folder, 'channels');
  const load = (overlays: readonly string[]) =>
    loadConfig({
      ...(file === null ? {} : { file }),
      overlays,
      environment: environment.variables,
      checks: [checkUnits],
    });
  const kept = () =>
    existsSync(channels)
      ? readdirSync(channels)
          .filter((name) => name.endsWith('.yaml'))
          .sort()
          .map((name) => join(channels, name))
      : [];
  return {
    ...load(kept()),
    async declare({ name, yaml }) {
      if (!ID_PATTERN.test(name)) {
        throw new OperatingError('IDENTITY_INVALID', `channel ${JSON.stringify(name)} is no id`);
      }
      mkdirSync(channels, { recursive: true });
      const path = join(channels, `${name}.yaml`);
      const draft = join(channels, `${name}.draft`);
      writeFileSync(draft, yaml);
      try {
        const others = kept().filter((other) => other !== path);
        const { config } = load([...others, draft]);
        renameSync(draft, path);
        return config;
      } finally {
        rmSync(draft, { force: true });
      }
    },
  };
}

function configFile({ config, demo }: SettingsOptions): string | null {
  if (config !== undefined) return named(config, '--config');
  if (demo) return exampleFile('trucks');
  if (environment.configFile !== undefined) return named(environment.configFile, 'MILLRACE_CONFIG');
  return existsSync(CONFIG_FILE) ? resolve(CONFIG_FILE) : null;
}

function named(file: string, by: string): string {
  if (existsSync(file)) return resolve(file);
  throw new OperatingError('INPUT_INVALID', `${by} ${file}: there is no such file`);
}
