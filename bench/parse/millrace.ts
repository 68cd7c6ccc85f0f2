/** The kernel's decoders over a corpus that lies in their memory; one call reads all of it. */
import type { Plan } from '../../src/model/plan.ts';
import { compileAvroSchema } from '../../src/registry/schema/avro-schema.ts';
import { channelOf, metricOf, planOf } from '../../test/kernel/plan-sample.ts';
import { Probe } from '../../test/kernel/probe.ts';
import { avroSchemaText, type Format, type Shape } from './corpus.ts';
import type { Subject } from './peer.ts';

const BUILDS = { millrace: 'release', 'millrace-scalar': 'scalar' } as const;

function planFor(shape: Shape, format: Format): Plan {
  const { min, max } = shape;
  const metrics = shape.metrics.map((name, i) => metricOf(i, name, { min, max }));
  const use = {
    ...{ format, metrics, samplesPath: [], timeOf: 'sample' as const, timePath: ['time'] },
    ...{ timeFormat: format === 'json' ? ('iso8601' as const) : ('ms' as const) },
    eventIdPath: [],
  };
  const schema = format === 'avro' ? avroSchemaOf(shape, use) : null;
  return planOf([channelOf(1, 'c', { ...use, schema })]);
}

function avroSchemaOf(shape: Shape, use: Parameters<typeof compileAvroSchema>[1]) {
  const compiled = compileAvroSchema({ text: avroSchemaText(shape), file: 'sample.avsc' }, use);
  if ('schema' in compiled) return compiled.schema;
  throw new Error(compiled.problems.map(({ what }) => what).join('; '));
}

export async function kernelSubjects(
  shape: Shape,
  format: Format,
  payloads: readonly Uint8Array[],
): Promise<Subject[]> {
  const plan = planFor(shape, format);
  const subjects: Subject[] = [];
  for (const [name, build] of Object.entries(BUILDS)) {
    const probe = await Probe.open(plan, build);
    const corpus = probe.putCorpus(payloads);
    const run = () => (probe.decodeAll(corpus) >>> 0).toString(16).padStart(8, '0');
    subjects.push({ name, run });
  }
  return subjects;
}
