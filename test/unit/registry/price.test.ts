import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from 'chai';
import { projectFolder } from '../../../src/base/project.ts';
import { EXAMPLES, exampleFile, loadConfig } from '../../../src/config/index.ts';
import { compilePlan, KERNEL_LAYOUT, lintPlan, pricePlan } from '../../../src/registry/index.ts';
import { configOf, fleet } from './fixture.ts';

const MIB = 2 ** 20;
const SIZES: Record<string, number> = {
  u8: 1,
  u16: 2,
  u32: 4,
  i32: 4,
  f32: 4,
  u64: 8,
  i64: 8,
  f64: 8,
  usize: 4,
};

/** Bytes of an @unmanaged class of the kernel, from its source. */
function recordBytes(file: string, name: string): number {
  const source = readFileSync(join(projectFolder(), 'assembly', file), 'utf8');
  const body = new RegExp(`class ${name} \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
  const fields = [...body.matchAll(/^\s*\w+: (\w+);/gm)].map(([, type]) => SIZES[type]);
  assert.isNotEmpty(fields, `${file} has class ${name}`);
  return fields.reduce((at, size) => Math.ceil(at / size) * size + size, 0);
}

describe('The price of a plan', () => {
  const records: [keyof typeof KERNEL_LAYOUT, string, string][] = [
    ['deviceBytes', 'device.ts', 'Device'],
    ['qualityBytes', 'judge/quality.ts', 'Quality'],
    ['bootBytes', 'boot.ts', 'Boot'],
    ['sectionBytes', 'series.ts', 'Section'],
    ['windowStateBytes', 'series.ts', 'WindowState'],
    ['latestBytes', 'series.ts', 'Latest'],
    ['cellBytes', 'window/cell.ts', 'Cell'],
    ['accumulatorBytes', 'window/accumulator.ts', 'Accumulator'],
    ['entryBytes', 'window/list.ts', 'Entry'],
    ['spanBytes', 'window/accumulator.ts', 'Span'],
    ['binBytes', 'window/sketch.ts', 'Bin'],
    ['alertBytes', 'series.ts', 'AlertState'],
    ['scoreBytes', 'series.ts', 'Score'],
  ];
  for (const [size, file, name] of records) {
    it(`uses the size of ${name} in assembly/${file}`, () => {
      assert.strictEqual(KERNEL_LAYOUT[size], recordBytes(file, name));
    });
  }

  /** What a metric more costs in a channel with these options. */
  const metricBytes = (options: string) => {
    const price = (metrics: string) => {
      const config = configOf(
        `metrics: { x: {}, y: {} }\nchannels: { a: { metrics: { ${metrics} }, ${options} } }`,
      );
      return pricePlan(compilePlan(config, null), 256 * MIB).channels[0].bytes;
    };
    return price('x: {}, y: {}') - price('x: {}');
  };

  it('grows by 16 B a metric, and 88 B a metric and open window, 16 B a young one', () => {
    assert.strictEqual(metricBytes('score: none, windows: []'), 16);
    assert.strictEqual(metricBytes('score: none, windows: [1m, 5m]'), 16 + 2 * (88 + 2 * 8));
  });

  it('grows by 24 B a scored series, and 2,016 B more with hours of the week', () => {
    assert.strictEqual(metricBytes('score: ewma, windows: []'), 16 + 24);
    assert.strictEqual(metricBytes('score: seasonal, windows: []'), 16 + 24 + 2016);
  });

  it('counts panes of windows that overlap, and sketches', () => {
    const hopping = 'score: none, windows: [{ length: 10m, every: 1m }]';
    assert.strictEqual(metricBytes(hopping), 16 + 11 * 88);
    const count = 'score: none, windows: [{ count: 100, every: 10 }]';
    assert.strictEqual(metricBytes(count), 16 + 10 * (88 + KERNEL_LAYOUT.spanBytes));
    const { binBytes, sketchBytes } = KERNEL_LAYOUT;
    assert.strictEqual(
      metricBytes('score: none, windows: [1h]'),
      16 + 1.5 * (88 + sketchBytes + 64 * binBytes),
    );
  });

  it('counts 48 B an alert, also of one that is no longer declared', () => {
    const alerts = (names: readonly string[]) =>
      configOf(`metrics: { x: {} }
channels:
  a:
    metrics: { x: {} }
    alerts: { ${names.map((name) => `${name}: { metric: x, above: 1 }`).join(', ')} }`);
    const first = compilePlan(alerts(['p', 'q']), null);
    const second = compilePlan(alerts(['r']), first);
    const bytes = [first, second].map((plan) => pricePlan(plan, 256 * MIB).channels[0].alertBytes);
    assert.deepStrictEqual(bytes, [96, 144]);
  });

  it('names quality, contents and texts where there are any', () => {
    const price = (yaml: string) => pricePlan(compilePlan(configOf(yaml), null), 256 * MIB);
    const plain = 'metrics: { x: {} }\nchannels: { a: { metrics: { x: {} } } }\n';
    const less = price(`${plain}quality: { enabled: false }`);
    assert.deepInclude(less, { contentBytes: 0, qualityBytes: 0, textBytes: 0 });
    const more = price(`metrics: { x: { kind: text } }
channels: { a: { time: { path: at }, metrics: { x: {} } } }
dedup: { contents: 10 }
texts: { max: 100 }`);
    assert.strictEqual(more.contentBytes, 240);
    assert.strictEqual(more.textBytes, 100 * (KERNEL_LAYOUT.textBytes + 24));
    assert.isAbove(more.baseBytes, less.baseBytes);
  });

  it('refuses texts that leave no room for devices', () => {
    const config = configOf(`metrics: { x: { kind: text } }
channels: { a: { metrics: { x: {} } } }
texts: { max: 1048576 }
kernel: { memory: 32MiB }`);
    const { problems } = lintPlan(config, compilePlan(config, null));
    assert.match(problems[0].what, /^holds 0 devices/);
  });

  it('is at most 256 B a series beside open windows and sketches, for the truck fleet', () => {
    const { config } = loadConfig({ file: exampleFile('trucks') });
    const price = pricePlan(compilePlan(config, null), config.kernel.memoryBytes);
    const windows = 10 * 2 * 1.5 * 88;
    const sketches = price.channels.reduce((sum, channel) => sum + channel.sketchBytes, 0);
    assert.isBelow((price.bytesPerDevice - (windows + sketches) * 1.125) / 10, 256);
    assert.strictEqual(price.devicesPerPartition, config.devices.max, 'the demo fits its memory');
    assert.isAbove(price.devicesPerPartition, 10_000);
    assert.isBelow(price.devicesPerPartitionWithIds, price.devicesPerPartition);
  });

  for (const name of EXAMPLES) {
    it(`finds that the example ${name} fits its memory`, () => {
      const { config } = loadConfig({ file: exampleFile(name) });
      const { problems, price } = lintPlan(config, compilePlan(config, null));
      assert.deepStrictEqual(problems, []);
      assert.isAbove(price.devicesPerPartition, 5_000);
    });
  }

  it('does not count retired channels, and never promises more than devices.max', () => {
    const first = compilePlan(fleet({ a: ['x'], b: ['x'] }), null);
    const second = compilePlan(fleet({ a: ['x'] }, 'devices: { max: 100 }\n'), first);
    const price = pricePlan(second, 256 * MIB);
    assert.deepStrictEqual(
      price.channels.map(({ name }) => name),
      ['a'],
    );
    assert.strictEqual(price.devicesPerPartition, 100);
  });

  it('warns when devices.max does not fit, and when no channel is declared', () => {
    const config = fleet({ a: ['x'] }, 'kernel: { memory: 32MiB }\n');
    const { problems, warnings } = lintPlan(config, compilePlan(config, null));
    assert.deepStrictEqual(problems, []);
    assert.match(warnings[0], /^kernel.memory \(32MiB\) holds \d+ devices per partition/);
    const empty = configOf('');
    assert.match(lintPlan(empty, compilePlan(empty, null)).warnings[0], /no channels/);
  });

  it('refuses memory that cannot hold the devices that are allowed by name', () => {
    const names = Array.from({ length: 64 }, (_, index) => `m${index}`);
    const allow = Array.from({ length: 1500 }, (_, index) => `t/s/d${index}`).join(', ');
    const strict = (partitions: number) =>
      fleet(
        { a: names },
        `kernel: { memory: 32MiB }\nlog: { partitions: ${partitions} }
devices: { policy: strict, allow: [${allow}] }\n`,
      );
    const one = strict(1);
    const { problems } = lintPlan(one, compilePlan(one, null));
    assert.match(problems[0].what, /^holds \d+ devices of \d+ bytes, 1500 are wanted/);
    const two = strict(16);
    assert.deepStrictEqual(lintPlan(two, compilePlan(two, null)).problems, []);
  });
});
