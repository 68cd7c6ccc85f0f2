/**
 * Finds the configurations that ship with the program. In: a name. Out: the path of
 * docs/examples/<name>.yaml, from the source tree as well as from the build.
 */
import { join } from 'node:path';
import { projectFolder } from '../base/project.ts';

export const EXAMPLES = [
  ...(['trucks', 'nab', 'my-channel'] as const),
  ...(['sparkplug', 'senml', 'avro', 'protobuf'] as const),
] as const;
export type Example = (typeof EXAMPLES)[number];

export function exampleFile(name: Example): string {
  return join(projectFolder(), 'docs', 'examples', `${name}.yaml`);
}
