import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from 'chai';
import { projectFolder } from '../../../src/base/project.ts';
import { exampleFile, loadConfig } from '../../../src/config/index.ts';
import { compilePlan, KERNEL_LAYOUT, lintPlan, pricePlan } from '../../../src/registry/index.ts';
import { configOf, fleet } from './fixture.ts';

const MIB = 2 ** 20;
const SIZES: Record<string, number> = { u32: 4, f32: 4, u64: 8, i64: 8, f64: 8, usize: 4 };

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
    ['bootBytes', 'boot.ts', 'Boot'],
    ['sectionBytes', 'series.ts', 'Section'],
    ['windowStateBytes', 'series.ts', 'WindowState'],
    ['latestBytes', 'series.ts', 'Latest'],
    ['cellBytes', 'series.ts', 'Cell'],
    ['accumulatorBytes', 'series.ts', 'Accumulator'],
  ];
  for (const [size, file, name] of records) {
    it(`uses the size of ${name} in assembly/${file}`, () => {
      assert.strictEqual(KERNEL_LAYOUT[size], recordBytes(file, name));
    });
  }

  it('grows by 24 B a metric, and 96 B a metric and open window', () => {
    const price = (metrics: readonly string[]) =>
      pricePlan(compilePlan(fleet({ a: metrics }), null), 256 * MIB).channels[0].bytes;
    assert.strictEqual(price(['x', 'y']) - price(['x']), 24 + 2 * 2 * 96);
  });

  it('is at most 256 B a series beside its open windows, for the truck fleet', () => {
    const { config } = loadConfig({ file: exampleFile('trucks') });
    const price = pricePlan(compilePlan(config, null), config.kernel.memoryBytes);
    const windows = 10 * 2 * 2 * 96;
    assert.isBelow((price.bytesPerDevice - windows) / 10, 256);
    assert.isAbove(price.devicesPerPartition, 10_000);
    assert.isBelow(price.devicesPerPartitionWithIds, price.devicesPerPartition);
  });

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
