/**
 * Avro payloads: from a tree of values to samples, by the channel's paths. In: a payload and its
 * channel. Out: as all decoders do (decode.ts).
 */
import { READINGS_PER_RECORD_MAX, SAMPLES_PER_RECORD_MAX } from '../../../assembly/shared/abi.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';
import { type AvroValue, type Rest, readAvro } from './avro-reader.ts';
import { finish, type Payload, type Reading, type Sample } from './decode.ts';
import type { Node } from './json.ts';
import { idKey, type KeyField } from './key.ts';
import { Malformed } from './protobuf.ts';
import { readTime } from './time.ts';
import { judgeValue, type Raw } from './validate.ts';

export function decodeAvro(payload: Uint8Array, channel: PlanChannel): Payload {
  const { schema, samplesPath, timeOf } = channel;
  if (schema?.kind !== 'avro') throw new Error('a channel of Avro has its schema');
  const metrics = channel.metrics.filter(({ retired }) => !retired);
  const rest = (names: readonly string[], below: readonly Rest[] = []): Rest => ({ names, below });
  const isOne = samplesPath.length === 0;
  const [ofRecord, ofSample] = [[channel.eventIdPath], metrics.map(({ path }) => path)];
  (timeOf === 'record' ? ofRecord : ofSample).push(channel.timePath);
  const restsOf = (paths: readonly (readonly string[])[]) =>
    paths.filter((path) => path.length > 0).map((path) => rest(path));
  const below = restsOf(ofSample);
  const rests = [...restsOf(ofRecord), ...(isOne ? below : [rest(samplesPath, below)])];
  const root = readAvro(payload, schema.nodes, rests);

  const elements = isOne ? [root] : elementsOf(find(root, samplesPath));
  const samples = elements.map((element): Sample => {
    const time = find(timeOf === 'record' ? root : element, channel.timePath);
    const offset = isOne ? 0 : element.start;
    const readings = metrics.flatMap((metric): Reading[] => {
      const found = find(element, metric.path);
      if (found === undefined) return [];
      return [{ metric, judged: judgeValue(metric, rawOf(found)), offset: found.start }];
    });
    readings.sort((left, right) => left.offset - right.offset);
    return {
      ...{ offset, timeOffset: time?.start ?? offset, readings },
      timeMs:
        time === undefined ? null : (readTime(nodeOf(time), channel.timeFormat) ?? 'malformed'),
    };
  });
  const count = samples.reduce((sum, { readings }) => sum + readings.length, 0);
  const over = samples.length > SAMPLES_PER_RECORD_MAX || count > READINGS_PER_RECORD_MAX;
  return finish(keyOf(find(root, channel.eventIdPath)), samples, over);
}

/** The value at a path; undefined when absent or null. */
function find(root: AvroValue, path: readonly string[]): AvroValue | undefined {
  if (path.length === 0) return undefined;
  let here: AvroValue | undefined = root;
  for (const name of path) {
    here = here?.value.kind === 'members' ? here.value.members.get(name) : undefined;
  }
  return here === undefined || here.value.kind === 'null' ? undefined : here;
}

/** Those that are not null. */
function elementsOf(array: AvroValue | undefined): readonly AvroValue[] {
  if (array === undefined) return [];
  if (array.value.kind !== 'items') throw new Malformed(array.start);
  return array.value.items.filter(({ value }) => value.kind !== 'null');
}

function rawOf({ value }: AvroValue): Raw {
  if (value.kind === 'boolean') return { kind: 'boolean', value: value.boolean };
  if (value.kind === 'integer') return { kind: 'integer', value: value.integer };
  if (value.kind === 'double') return { kind: 'double', value: value.double };
  return value.kind === 'text' ? { kind: 'text', value: value.text } : { kind: 'other' };
}

/** As the reader of times wants it. */
function nodeOf({ start, value }: AvroValue): Node {
  const nothing = { members: new Map<string, Node>(), entries: [], elements: [] };
  if (value.kind === 'text') {
    return { kind: 'string', start, text: '', value: value.text, ...nothing };
  }
  const text = value.kind === 'integer' ? String(value.integer) : '';
  return { kind: text === '' ? 'array' : 'number', start, text, value: undefined, ...nothing };
}

function keyOf(found: AvroValue | undefined): KeyField {
  if (found === undefined) return null;
  const { value } = found;
  if (value.kind === 'integer') return idKey(Buffer.from(String(value.integer)));
  return value.kind === 'text' ? idKey(Buffer.from(value.text)) : 'invalid';
}
