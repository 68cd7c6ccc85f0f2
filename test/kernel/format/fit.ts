/**
 * Channels as their format wants them. In: a channel with the paths of a JSON payload. Out: the
 * same with paths, units and schema of its format, compiled by the registry from .avsc or .proto;
 * a later plan that only adds metrics gets a schema that only adds fields.
 */
import type { PlanChannel, PlanMetric } from '../../../src/model/plan.ts';
import { compileAvroSchema } from '../../../src/registry/schema/avro-schema.ts';
import { compileProtobufSchema } from '../../../src/registry/schema/protobuf-schema.ts';
import { avroSchemaOf } from './avro.ts';
import { MESSAGE, protoOf } from './message.ts';
import { insideOf } from './tree.ts';

export function fitted(channel: PlanChannel): PlanChannel {
  const metrics = channel.metrics.map((metric) => ({ ...metric, ...placeOf(channel, metric) }));
  switch (channel.format) {
    case 'sparkplug':
    case 'senml-json':
    case 'senml-cbor':
      return { ...channel, metrics, ...WITHOUT_PATHS };
    case 'avro':
    case 'protobuf-message':
      return withSchema({ ...channel, metrics });
    default:
      return channel;
  }
}

/** Their times and samples are where the format says. */
const WITHOUT_PATHS = {
  ...{ framing: 'none', schemaIds: [], samplesPath: [], timeOf: 'sample' },
  ...{ timePath: [], timeFormat: 'ms', eventIdPath: [] },
} as const satisfies Partial<PlanChannel>;

function placeOf(channel: PlanChannel, metric: PlanMetric): Partial<PlanMetric> {
  const { name, ordinal, path } = metric;
  const { format } = channel;
  if (format === 'sparkplug') {
    return { path: [[name], ['pump', name], [name], ['fan', name]][ordinal % 4]! };
  }
  if (format === 'senml-json' || format === 'senml-cbor') {
    const sentUnit = ordinal % 3 === 0 ? 'Cel' : '';
    return { path: [ordinal % 4 === 3 ? `dev:${name}` : name], sentUnit };
  }
  if (format !== 'avro' && format !== 'protobuf-message') return {};
  const inside = insideOf(channel, metric);
  const last = inside === null ? [] : ['key' in inside ? inside.key : String(inside.index)];
  const given = path.map((each) => each.replaceAll('-', '_'));
  // A plan that is changed has fitted its old metrics already.
  return { path: last.length > 0 && given.at(-1) === last[0] ? given : [...given, ...last] };
}

function withSchema(channel: PlanChannel): PlanChannel {
  const use = { ...channel, metrics: channel.metrics.filter(({ retired }) => !retired) };
  const verdict =
    channel.format === 'avro'
      ? compileAvroSchema({ text: JSON.stringify(avroSchemaOf(channel)), file: 'gen.avsc' }, use)
      : compileProtobufSchema({ text: protoOf(channel), message: MESSAGE, file: 'gen.proto' }, use);
  if ('schema' in verdict) return { ...channel, schema: verdict.schema };
  throw new Error(verdict.problems.map(({ what }) => what).join('; '));
}
