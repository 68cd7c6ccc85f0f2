/** The config room: YAML and the environment in, one frozen, checked Config out. */

export { formatDuration, formatSize, parseDuration, parseSize } from '../base/quantity.ts';
export { EXAMPLES, type Example, exampleFile } from './demo.ts';
export { environment } from './environment.ts';
export { type LoadedConfig, type LoadOptions, loadConfig } from './load.ts';
export { OVERRIDES } from './override.ts';
