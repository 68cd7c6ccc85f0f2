/**
 * `npx tsx test/kernel/decode-price.ts [release|scalar …]`: processor time of decoding JSON, per
 * payload: the point and the truck of the workloads (W1), as their devices write them. The least
 * of several runs, which disturbs least what others do on the machine.
 */
import { channelOf, metricOf, planOf } from './plan-sample.ts';
import { Probe, type Target } from './probe.ts';
import { Random } from './random.ts';

const COUNT = 64;
const ROUNDS = 4000;
const RUNS = 9;
const random = new Random(1);

const TRUCK = [
  ...['latitude', 'longitude', 'elevation', 'velocity', 'heading', 'grade', 'fuel_consumption'],
];
const SHARED = { format: 'json', timeFormat: 'iso8601', timePath: ['at'] } as const;
const PLAN = planOf([
  channelOf(1, 'point', { ...SHARED, eventIdPath: ['id'] }),
  channelOf(2, 'truck', {
    ...SHARED,
    eventIdPath: ['id'],
    metrics: TRUCK.map((name, i) => metricOf(i, name, { path: [name] })),
  }),
  channelOf(3, 'bare', { ...SHARED, eventIdPath: [] }),
  channelOf(4, 'senml', { ...SHARED, format: 'senml-json', metrics: [metricOf(0, 'temp')] }),
]);

const stamp = () => new Date(Date.UTC(2026, 7, 1) + random.int(0, 86_400_000)).toISOString();
const id = () => Buffer.from(random.bytes(8)).toString('hex');
const value = () => random.int(-5000, 9000) / 100;
const place = (max: number) => Math.round((random.unit() * 2 - 1) * max * 1e5) / 1e5;

const payloads: Record<string, readonly [channel: number, make: () => object]> = {
  point: [1, () => ({ id: id(), at: stamp(), value: value() })],
  'point, 104 B': [
    1,
    () => ({ id: id(), site: 'plant-7', unit: 'Cel', at: stamp(), value: value(), ok: true }),
  ],
  'point without id': [3, () => ({ at: stamp(), value: value() })],
  truck: [
    2,
    () => ({
      ...{ id: id(), at: stamp(), latitude: place(90), longitude: place(180) },
      ...{ elevation: place(5000), velocity: place(100), heading: place(360) },
      ...{ grade: place(100), fuel_consumption: place(50) },
    }),
  ],
  senml: [4, () => [{ bn: 'urn:dev:ow:10e2073a0108006:', bt: 1.785e9, n: 'temp', v: value() }]],
};

const targets = process.argv.slice(2) as Target[];
for (const target of targets.length > 0 ? targets : (['release'] as const)) {
  const probe = await Probe.open(PLAN, target);
  for (const [name, [channel, make]] of Object.entries(payloads)) {
    const texts = Array.from({ length: COUNT }, () => JSON.stringify(make()));
    const bytes = texts.reduce((sum, text) => sum + text.length, 0) / COUNT;
    probe.price(texts, ROUNDS, channel);
    const prices = Array.from({ length: RUNS }, () => probe.price(texts, ROUNDS, channel));
    console.log(`${target} ${name}: ${bytes.toFixed(0)} B ${Math.min(...prices).toFixed(1)} ns`);
  }
}
