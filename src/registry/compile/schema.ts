/**
 * The schema of a channel in the plan. In: the text of the file that a person wrote. Out: what
 * leads to the channel's values, or problems at the options that are wrong.
 */
import type { ChannelConfig, ConfigPath, SchemaConfig } from '../../model/config.ts';
import type { PlanSchema } from '../../model/plan-schema.ts';
import { compileAvroSchema } from '../schema/avro-schema.ts';
import { compileProtobufSchema } from '../schema/protobuf-schema.ts';
import type { SchemaProblem, SchemaUse, SchemaVerdict } from '../schema/schema-use.ts';
import type { Compilation } from './compilation.ts';

export function compileSchema(compilation: Compilation, channel: ChannelConfig): PlanSchema | null {
  if (channel.schema === null) return null;
  const verdict = read(channel.schema, useOf(compilation, channel));
  if ('schema' in verdict) return verdict.schema;
  for (const problem of verdict.problems) {
    const path = optionOf(channel, problem);
    compilation.problems.push({ path, what: problem.what });
  }
  return null;
}

function read(source: SchemaConfig, use: SchemaUse): SchemaVerdict<PlanSchema> {
  if (use.format === 'avro') return compileAvroSchema(source, use);
  return compileProtobufSchema({ ...source, message: source.message ?? '' }, use);
}

function useOf({ config }: Compilation, channel: ChannelConfig): SchemaUse {
  return {
    format: channel.format,
    samplesPath: channel.samplesPath,
    timeOf: channel.time.of,
    timePath: channel.time.path,
    timeFormat: channel.time.format,
    eventIdPath: channel.eventIdPath,
    metrics: channel.metrics.map(({ name, path }) => {
      const kind = config.metrics.find((metric) => metric.name === name)?.kind ?? 'number';
      return { name, kind, path };
    }),
  };
}

function optionOf(channel: ChannelConfig, problem: SchemaProblem): ConfigPath {
  const at = (...path: string[]): ConfigPath => ['channels', channel.name, ...path];
  switch (problem.path) {
    case 'schema':
      return at('schema', 'file');
    case 'metrics':
      return problem.metric === undefined ? at('metrics') : at('metrics', problem.metric, 'path');
    default:
      return at(problem.path, 'path');
  }
}
