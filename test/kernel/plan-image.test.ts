/** The plan image as the kernel reads it: names, ids, devices, tables, limits. */
import { expect } from 'chai';
import * as abi from '../../assembly/shared/abi.ts';
import * as layout from '../../assembly/shared/plan-layout.ts';
import { planImage } from '../../src/kernel/image/plan-image.ts';
import { nameHash } from '../../src/kernel/name-hash.ts';
import { isOperatingError } from '../../src/model/error.ts';
import { STATUS_NAMES } from '../../src/model/status.ts';
import {
  aggregateTable,
  channelTable,
  DEAD_LETTERS,
  DEVICES,
  LEDGER,
  type Table,
} from '../../src/model/table.ts';
import { channelOf, HOUR_WINDOW, MINUTE_WINDOW, metricOf, planOf } from './plan-sample.ts';
import { NO_ORDINAL, Probe } from './probe.ts';

const NAMES = ['a', 'ab', 'abc', 'abcd', 'abcde', 'abcdefgh', 'abcdefghi', 'x'.repeat(64)];

describe('plan image', () => {
  const channels = [
    ...NAMES.map((name, i) => channelOf(i * 3 + 2, name)),
    channelOf(1, 'old', { retired: true, windows: [HOUR_WINDOW] }),
    channelOf(60, 'wide', {
      windows: [MINUTE_WINDOW, HOUR_WINDOW],
      metrics: Array.from({ length: 64 }, (_, i) =>
        metricOf(i, `room_${i}_temperature`, { retired: i === 7, required: i % 9 === 0 }),
      ),
    }),
  ];
  const allowed = ['t/s/d', 't/s/d2', 'acme/plant-1/pump_7', 'ts/d/x', 't/sd/x'];
  const plan = planOf(channels, { devicesAllowed: allowed });
  let probe: Probe;
  const place = (text: string): [number, number] => {
    const bytes = Buffer.from(text);
    return [probe.put(bytes), bytes.length];
  };
  before(async () => {
    probe = await Probe.open(plan);
  });

  it('hashes names on both sides alike', () => {
    for (let length = 0; length <= 70; length++) {
      const name = Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 7) % 90))).join(
        '',
      );
      const own = probe.kernel.nameHash(...place(name)) >>> 0;
      expect(own, name).to.equal(nameHash(Buffer.from(name)));
    }
  });

  it('finds channels in use by name and all by id', () => {
    const { kernel } = probe;
    for (const channel of channels) {
      const byId = kernel.planChannelById(probe.plan, channel.id);
      const byName = kernel.planFindChannel(probe.plan, ...place(channel.name));
      expect(byId, channel.name).to.be.greaterThan(0);
      expect(byName, channel.name).to.equal(channel.retired ? 0 : byId);
    }
    for (const name of ['', 'b', 'abcdefg', 'abcdefgi', 'x'.repeat(63), 'x'.repeat(65), 'wide ']) {
      expect(kernel.planFindChannel(probe.plan, ...place(name)), name).to.equal(0);
    }
    for (const id of [0, 3, 61, 2 ** 31])
      expect(kernel.planChannelById(probe.plan, id)).to.equal(0);
  });

  it('finds metrics in use by name', () => {
    const wide = probe.kernel.planChannelById(probe.plan, 60);
    for (let i = 0; i < 64; i++) {
      const metric = probe.kernel.findMetric(wide, ...place(`room_${i}_temperature`));
      if (i === 7) expect(metric).to.equal(0);
      else expect(probe.kernel.metricOrdinal(metric)).to.equal(i);
    }
    expect(probe.kernel.findMetric(wide, ...place('room_64_temperature'))).to.equal(0);
  });

  it('finds metrics in use by the name on the wire, of Sparkplug and SenML', async () => {
    const path = (i: number) =>
      i % 3 === 0 ? [`m${i}`] : [`${'d'.repeat(i)}`, i % 3 === 1 ? 'é/m' : ''];
    const metrics = Array.from({ length: 60 }, (_, i) =>
      metricOf(i, `m${i}`, { path: path(i), retired: i === 7 }),
    );
    for (const format of ['sparkplug', 'senml-json', 'senml-cbor'] as const) {
      const named = await Probe.open(planOf([channelOf(1, 'c', { format, metrics })]));
      const { kernel } = named;
      const program = kernel.channelProgram(kernel.planChannelById(named.plan, 1));
      const find = (name: string) => {
        const bytes = Buffer.from(name);
        return kernel.findName(program, named.put(bytes), bytes.length) >>> 0;
      };
      metrics.forEach((metric, i) => {
        const key = metric.path.join('\0');
        expect(find(key), key).to.equal(i === 7 ? NO_ORDINAL : i);
        expect(find(`${key}x`), key).to.equal(NO_ORDINAL);
      });
      expect(find('')).to.equal(NO_ORDINAL);
    }
  });

  it('knows exactly the devices of a strict plan, and all of any other', async () => {
    const isAllowed = (given: Probe, tenant: string, site: string, device: string) => {
      const ids = [tenant, site, device].map((id) => Buffer.from(`\0${id}`));
      for (const id of ids) id[0] = id.length - 1;
      return given.kernel.planDeviceAllowed(given.plan, given.put(Buffer.concat(ids))) !== 0;
    };
    for (const identity of allowed) {
      const [tenant, site, device] = identity.split('/') as [string, string, string];
      expect(isAllowed(probe, tenant, site, device), identity).to.equal(true);
    }
    for (const [tenant, site, device] of [
      ['t', 's', 'd3'],
      ['t', 's', ''],
      ['x', 's', 'd'],
    ] as const) {
      expect(isAllowed(probe, tenant, site, device)).to.equal(false);
    }
    const open = await Probe.open(planOf(channels));
    expect(isAllowed(open, 'any', 'thing', 'goes')).to.equal(true);
    const closed = await Probe.open(planOf(channels, { devicesAllowed: [] }));
    expect(isAllowed(closed, 't', 's', 'd')).to.equal(false);
  });

  it('spells statuses as Native strings', () => {
    STATUS_NAMES.forEach((name, number) => {
      const at = probe.kernel.planStatusText(probe.plan, number);
      const bytes = probe.kernel.planStatusTextBytes(probe.plan, number);
      expect(probe.text(at, bytes)).to.equal(`${String.fromCharCode(name.length)}${name}`);
    });
  });

  it('has the Native header of every column of every table', () => {
    const { kernel } = probe;
    const check = (table: Table, index: number): void => {
      expect(kernel.planTableColumnCount(probe.plan, index), table.name).to.equal(
        table.columns.length,
      );
      table.columns.forEach(({ name, type, wire }, column) => {
        const at = kernel.planTableColumn(probe.plan, index, column);
        const header = probe.text(at, kernel.planTableColumnBytes(probe.plan, index, column));
        const sized = [name, wire ?? type].map(
          (text) => `${String.fromCharCode(text.length)}${text}`,
        );
        expect(header, `${table.name}.${name}`).to.equal(sized.join(''));
      });
    };
    check(LEDGER, layout.TABLE_LEDGER);
    check(DEAD_LETTERS, layout.TABLE_DEAD_LETTERS);
    check(DEVICES, layout.TABLE_DEVICES);
    for (const channel of channels) {
      const at = kernel.planChannelById(probe.plan, channel.id);
      check(channelTable(channel), kernel.channelTable(at));
      channel.windows.forEach((window, i) => {
        check(aggregateTable(window.name), kernel.windowTable(at, i));
      });
    }
  });

  it('is equal for equal plans and says its own length', () => {
    const image = planImage(plan);
    expect(Buffer.compare(image, planImage(structuredClone(plan)))).to.equal(0);
    expect(new DataView(image.buffer).getUint32(layout.PLAN_BYTES_AT, true)).to.equal(image.length);
  });

  it('refuses what does not fit, and says so', () => {
    const devicesAllowed = Array.from(
      { length: 30_000 },
      (_, i) => `tenant/site/device-number-${i}`,
    );
    const path = (of: string[]) =>
      channelOf(1, 'c', { format: 'json', metrics: [metricOf(0, 'm', { path: of })] });
    const cases = [
      [planOf(channels, { devicesAllowed }), new RegExp(String(abi.PLAN_BYTES_MAX))],
      [planOf([path(Array.from({ length: 33 }, () => 'a'))]), /33 members; expected 1 to 32/],
      [planOf([path([])]), /0 members/],
      [planOf([path(['é'.repeat(129)])]), /more than 256 bytes/],
    ] as const;
    for (const [given, text] of cases) {
      let thrown: unknown;
      try {
        planImage(given);
      } catch (error) {
        thrown = error;
      }
      expect(isOperatingError(thrown, 'PLAN_TOO_LARGE'), String(thrown)).to.equal(true);
      expect(String(thrown)).to.match(text);
    }
    planImage(planOf([path(Array.from({ length: 32 }, () => 'é'.repeat(128)))]));
  });
});
