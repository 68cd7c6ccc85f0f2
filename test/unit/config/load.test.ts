import { assert } from 'chai';
import { EXAMPLES, exampleFile, loadConfig } from '../../../src/config/index.ts';
import { configProblems } from '../../../src/model/config-error.ts';
import { WINDOW_DEFAULTS } from '../../../src/model/plan.ts';
import { checkUnits, compilePlan } from '../../../src/registry/index.ts';
import { channelYaml, configFolder, loadText, problemsOf, writeConfig } from './fixture.ts';

const DAY_MS = 86_400_000;

describe('Loading a configuration', () => {
  before(configFolder.open);
  after(configFolder.close);

  it('needs no file: every option has a default', () => {
    const { config, files, warnings } = loadConfig();
    assert.deepStrictEqual(files, []);
    assert.deepStrictEqual(warnings, []);
    assert.deepStrictEqual(config.log, {
      id: 'main',
      partitions: 16,
      maxBytes: 4 * 2 ** 30,
      retentionMs: 7 * DAY_MS,
    });
    assert.deepStrictEqual(config.channels, []);
    assert.strictEqual(config.kernel.memoryBytes, 256 * 2 ** 20);
  });

  for (const yaml of ['', '# nothing yet\n', '---\n', 'log:\nmetrics:\nchannels:\n', '{}']) {
    it(`takes ${JSON.stringify(yaml)} as the defaults`, () => {
      assert.deepStrictEqual(loadText(yaml), loadConfig().config);
    });
  }

  for (const name of EXAMPLES) {
    it(`loads and compiles the example ${name}`, () => {
      const { config } = loadConfig({ file: exampleFile(name), checks: [checkUnits] });
      assert.isNotEmpty(compilePlan(config, null).channels);
    });
  }

  it('freezes the configuration all the way down', () => {
    const config = loadText(channelYaml(''));
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' ||
      value === null ||
      (Object.isFrozen(value) && Object.values(value).every(frozen));
    assert.isTrue(frozen(config));
  });

  it('fills a channel with defaults that depend on its format', () => {
    const json = loadText(channelYaml('')).channels[0];
    const protobuf = loadText(channelYaml('', 'protobuf')).channels[0];
    assert.deepStrictEqual(json.metrics[0].path, ['velocity']);
    assert.deepStrictEqual(protobuf.metrics[0].path, []);
    assert.strictEqual(json.unknownMetrics, 'ignore');
    assert.strictEqual(protobuf.unknownMetrics, 'reject');
    assert.deepStrictEqual(
      json.windows.map(({ name, retentionMs }) => [name, retentionMs / DAY_MS]),
      [
        ['1m', 90],
        ['1h', 5 * 365],
      ],
    );
    assert.strictEqual(json.retentionMs, 14 * DAY_MS);
  });

  it('closes windows soon behind a file that has ended, and waits for a live device', () => {
    const idle = (yaml: string) => loadText(channelYaml(yaml)).channels[0].idleMs;
    assert.strictEqual(idle('historical: true'), 2_000);
    assert.strictEqual(idle('historical: false'), 30_000);
    assert.strictEqual(idle('historical: true\nidle: 9s'), 9_000);
  });

  it('keeps historical data for ever and does not judge its age', () => {
    const [channel] = loadText(channelYaml('historical: true')).channels;
    assert.strictEqual(channel.age.policy, 'accept');
    assert.strictEqual(channel.clock.policy, 'reject');
    assert.strictEqual(channel.retentionMs, 0);
    assert.deepStrictEqual(
      channel.windows.map((window) => window.retentionMs),
      [0, 0],
    );
  });

  it('names windows by their canonical length, shortest first, with their own retention', () => {
    const yaml = channelYaml('windows: [60m, 60s]\nretention: { 1m: 30d, 3600s: forever }');
    assert.deepStrictEqual(loadText(yaml).channels[0].windows, [
      { ...WINDOW_DEFAULTS, name: '1m', lengthMs: 60_000, retentionMs: 30 * DAY_MS },
      { ...WINDOW_DEFAULTS, name: '1h', lengthMs: 3_600_000, sketch: true, retentionMs: 0 },
    ]);
  });

  it('reads paths with dots, and as lists where names contain dots', () => {
    const yaml = channelYaml("time: { path: a.b }\neventId: { path: [a, 'x.y'] }");
    const [channel] = loadText(yaml).channels;
    assert.deepStrictEqual(channel.time.path, ['a', 'b']);
    assert.deepStrictEqual(channel.eventIdPath, ['a', 'x.y']);
  });

  it('follows anchors, aliases and merge keys', () => {
    const yaml = `metrics: { v: {} }
x-metrics: 1
channels:
  a: &base { metrics: { v: {} }, idle: 45s }
  b: { <<: *base, idle: 1m }
  c: *base
`.replace('x-metrics: 1\n', '');
    const idle = loadText(yaml).channels.map((channel) => channel.idleMs / 1000);
    assert.deepStrictEqual(idle, [45, 60, 45]);
  });

  describe('overlays and environment', () => {
    it('lays overlays over the file: sections merge, lists are replaced', () => {
      const file = writeConfig(channelYaml('windows: [1m, 1h]\nidle: 45s'));
      const overlay = writeConfig('log: { partitions: 4 }\nchannels: { truck: { windows: [5m] } }');
      const { config, files } = loadConfig({ file, overlays: [overlay] });
      assert.deepStrictEqual(files, [file, overlay]);
      assert.strictEqual(config.log.partitions, 4);
      assert.deepStrictEqual(
        config.channels[0].windows.map(({ name }) => name),
        ['5m'],
      );
      assert.strictEqual(config.channels[0].idleMs, 45_000);
    });

    it('names the file that a problem comes from', () => {
      const file = writeConfig('log: { partitions: 4 }\n');
      const overlay = writeConfig('# over\nlog:\n  partitions: 0\n');
      try {
        loadConfig({ file, overlays: [overlay] });
        assert.fail('loaded');
      } catch (error) {
        const [problem] = configProblems(error);
        assert.include(problem, { file: overlay, line: 3, column: 15, path: 'log.partitions' });
      }
    });

    it('lets variables win, with numbers, sizes and lists read from text', () => {
      const config = loadText('nats: { port: 1 }\ndevices: { policy: strict }', {
        environment: {
          MILLRACE_NATS_PORT: '4333',
          MILLRACE_NATS_WEBSOCKET_PORT: '0',
          MILLRACE_KERNEL_MEMORY: '64MiB',
          MILLRACE_DEVICES_ALLOW: 'a/b/c, d/e/f',
          MILLRACE_LOG_ID: '',
          PATH: '/bin',
        },
      });
      assert.strictEqual(config.nats.port, 4333);
      assert.strictEqual(config.nats.websocketPort, 0);
      assert.strictEqual(config.kernel.memoryBytes, 64 * 2 ** 20);
      assert.deepStrictEqual(config.devices.allow, ['a/b/c', 'd/e/f']);
      assert.strictEqual(config.log.id, 'main');
    });

    it('names the variable that a problem comes from', () => {
      const environment = { MILLRACE_NATS_PORT: '70000', MILLRACE_CHECKPOINT_INTERVAL: 'often' };
      assert.sameMembers(problemsOf('nats: { port: 1 }', { environment }), [
        'environment variable MILLRACE_NATS_PORT: nats.port: must be at most 65535, given ' +
          '70000; allowed: 0 … 65535',
        'environment variable MILLRACE_CHECKPOINT_INTERVAL: checkpoint.interval: must be a ' +
          'duration such as 10s, 5m, 1h, 7d or 5y, given "often"',
      ]);
    });

    it('warns of a variable that looks like an option but is none', () => {
      const environment = { MILLRACE_NATS_PROT: '1', MILLRACE_NATS_SERVER: 'x', MILLRACE_ZZ: '1' };
      assert.deepStrictEqual(loadConfig({ environment }).warnings, [
        'environment variable MILLRACE_NATS_PROT is not used (did you mean MILLRACE_NATS_PORT?)',
      ]);
    });
  });
});
