/**
 * A .proto file to the part of it that a plan needs. In: its text, the name of the message, and
 * what the channel wants of it. Out: a ProtobufSchema pruned to the declared paths, or what is
 * wrong with which of them. Only google's well-known types can be imported.
 */
import protobuf from 'protobufjs';
import type { ProtobufSchema } from '../../model/plan-schema.ts';
import { nameHint } from './name-hint.ts';
import { PathWalk } from './protobuf-path.ts';
import type { SchemaProblem, SchemaUse, SchemaVerdict } from './schema-use.ts';

export interface ProtobufSource {
  readonly text: string;
  /** Full name, or the last part of it where it is the only one. */
  readonly message: string;
  /** For messages only. */
  readonly file: string;
}

export function compileProtobufSchema(
  source: ProtobufSource,
  channel: SchemaUse,
): SchemaVerdict<ProtobufSchema> {
  const parsed = parse(source);
  if (typeof parsed === 'string') return { problems: [{ path: 'schema', what: parsed }] };
  const message = findMessage(parsed, source);
  if (typeof message === 'string') return { problems: [{ path: 'schema', what: message }] };
  const walk = new PathWalk(message);
  const problems = walkPaths(walk, channel);
  if (problems.length > 0) return { problems };
  return { schema: { kind: 'protobuf', indexPath: indexPathOf(message), ...walk.pruned() } };
}

// --- the file ------------------------------------------------------------------------------------
function parse({ text, file }: ProtobufSource): protobuf.Root | string {
  try {
    const { imports } = protobuf.parse(text, new protobuf.Root(), { keepCase: true });
    const root = new protobuf.Root();
    for (const name of imports ?? []) {
      const known = protobuf.common.get(name);
      if (known === null) {
        return (
          `${file} imports ${name}, but only google's well-known types can be imported: ` +
          `put the messages it needs into ${file}.`
        );
      }
      root.addJSON(known.nested ?? {});
    }
    protobuf.parse(text, root, { keepCase: true });
    root.resolveAll();
    return root;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return `${file} is not a Protobuf schema that can be read: ${why}.`;
  }
}

function messagesOf(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  return namespace.nestedArray.flatMap((each) => {
    const own = each instanceof protobuf.Type ? [each] : [];
    return each instanceof protobuf.Namespace ? [...own, ...messagesOf(each)] : own;
  });
}

const nameOf = (type: protobuf.Type): string => type.fullName.replace(/^\./, '');

function findMessage(
  root: protobuf.Root,
  { message, file }: ProtobufSource,
): protobuf.Type | string {
  const own = messagesOf(root).filter((type) => !nameOf(type).startsWith('google.protobuf.'));
  const exact = own.find((type) => nameOf(type) === message);
  if (exact !== undefined) return exact;
  const alike = own.filter((type) => type.name === message);
  if (alike.length === 1) return alike[0]!;
  const names = (alike.length > 0 ? alike : own).map(nameOf);
  if (alike.length > 0) {
    return `${file} has several messages \`${message}\`: say which of ${names.join(', ')}.`;
  }
  const written = message.includes('.') ? names : own.map(({ name }) => name);
  return `${file} has no message \`${message}\`: ${nameHint(message, written)}`;
}

/** Its place among the messages of the file, as the Confluent prefix counts. */
function indexPathOf(type: protobuf.Type): number[] {
  const parent = type.parent;
  const siblings = (parent?.nestedArray ?? []).filter((each) => each instanceof protobuf.Type);
  const index = siblings.indexOf(type);
  return parent instanceof protobuf.Type ? [...indexPathOf(parent), index] : [index];
}

// --- the channel ---------------------------------------------------------------------------------
function walkPaths(walk: PathWalk, channel: SchemaUse): SchemaProblem[] {
  const { samplesPath, timePath, timeFormat, eventIdPath } = channel;
  const problems: SchemaProblem[] = [];
  const note = (about: Omit<SchemaProblem, 'what'>, what: string | null): void => {
    if (what !== null) problems.push({ ...about, what });
  };
  if (samplesPath.length > 0) note({ path: 'samples' }, walk.toSamples(samplesPath));
  if (problems.length > 0) return problems;
  const inSample = channel.timeOf === 'sample';
  if (timePath.length > 0) note({ path: 'time' }, walk.toTime(timePath, { inSample, timeFormat }));
  if (eventIdPath.length > 0) note({ path: 'eventId' }, walk.toEventId(eventIdPath));
  for (const metric of channel.metrics) {
    note({ path: 'metrics', metric: metric.name }, walk.toMetric(metric));
  }
  return problems;
}
