import { expect } from 'chai';
import { parse } from 'yaml';
import {
  type ChannelWishes,
  composeDeclaration,
  metricName,
  timeFormatOf,
} from '../../../src/cli/use/declaration.ts';
import type { Plan } from '../../../src/model/plan.ts';

const WISHES: ChannelWishes = {
  channel: 'climate',
  historical: false,
  metrics: undefined,
  units: undefined,
  time: undefined,
  timeFormat: undefined,
  apart: [],
};

const planWith = (name: string, unit: string) =>
  ({ channels: [{ name: 'other', metrics: [{ name, unit }] }] }) as unknown as Plan;

interface Case {
  readonly title: string;
  readonly wishes?: Partial<ChannelWishes>;
  readonly row: Readonly<Record<string, unknown>>;
  readonly plan?: Plan;
  readonly metrics?: object;
  readonly channel?: object;
  readonly fails?: string;
}

const CASES: Case[] = [
  {
    title: 'takes every numeric column as a metric and finds the time stamp',
    row: { timestamp: '2013-12-02 21:15:00', value: 73.9, state: 'ok' },
    metrics: { value: { unit: '1' } },
    channel: {
      format: 'json',
      time: { path: 'timestamp', format: 'iso8601', required: true },
      metrics: { value: {} },
    },
  },
  {
    title: 'names, converts and keeps as the options say',
    wishes: {
      historical: true,
      metrics: new Map([['temperature', 'value']]),
      units: new Map([['temperature', '[degF]>Cel']]),
    },
    row: { timestamp: '2013-12-02 21:15:00', value: 73.9 },
    metrics: { temperature: { unit: 'Cel' } },
    channel: {
      format: 'json',
      historical: true,
      time: { path: 'timestamp', format: 'iso8601', required: true },
      metrics: { temperature: { path: 'value', unit: '[degF]' } },
    },
  },
  {
    title: 'leaves id and device out, and takes booleans as such',
    wishes: { apart: ['id', 'sensor'] },
    row: { ts: 1_700_000_000, id: 7, sensor: 3, open: true },
    metrics: { open: { kind: 'boolean' } },
    channel: {
      format: 'json',
      time: { path: 'ts', format: 's', required: true },
      metrics: { open: {} },
    },
  },
  {
    title: 'without a time stamp the time of receipt stands for it',
    row: { speed: 3 },
    metrics: { speed: { unit: '1' } },
    channel: { format: 'json', metrics: { speed: {} } },
  },
  {
    title: 'tells a member with a dot in its name from a path',
    wishes: {
      metrics: new Map([
        ['a', 'x.y'],
        ['b', 'p.q'],
      ]),
    },
    row: { 'x.y': 1, p: { q: 2 } },
    metrics: { a: { unit: '1' }, b: { unit: '1' } },
    channel: { format: 'json', metrics: { a: { path: ['x.y'] }, b: { path: ['p', 'q'] } } },
  },
  {
    title: 'uses a metric that the plan has, in its unit',
    wishes: { units: new Map([['speed', 'km/h']]) },
    row: { speed: 3 },
    plan: planWith('speed', 'm/s'),
    metrics: {},
    channel: { format: 'json', metrics: { speed: { unit: 'km/h' } } },
  },
  {
    title: 'refuses to store a known metric in another unit',
    wishes: { units: new Map([['speed', 'km/h>km/h']]) },
    row: { speed: 3 },
    plan: planWith('speed', 'm/s'),
    fails: 'already stored in m/s',
  },
  {
    title: 'refuses historical data without time',
    wishes: { historical: true },
    row: { speed: 3 },
    fails: '--time COLUMN',
  },
  {
    title: 'refuses a time stamp that it cannot read',
    row: { time: 'yesterday', speed: 3 },
    fails: '--time-format',
  },
  { title: 'refuses a file without numbers', row: { a: 'x' }, fails: '--metric NAME=COLUMN' },
];

describe('a channel composed for a file', () => {
  for (const { title, wishes, row, plan, metrics, channel, fails } of CASES) {
    it(title, () => {
      const compose = () => composeDeclaration({ ...WISHES, ...wishes }, [row], plan ?? null);
      if (fails !== undefined) {
        expect(compose).to.throw(fails);
        return;
      }
      expect(parse(compose().yaml)).to.deep.equal({ metrics, channels: { climate: channel } });
    });
  }

  it('judges a column by most of its values', () => {
    const sample = [{ a: 1, b: 'x' }, { a: 'n/a', b: 2 }, { a: 3 }];
    const { metrics } = parse(composeDeclaration(WISHES, sample, null).yaml) as { metrics: object };
    expect(metrics).to.deep.equal({ a: { unit: '1' } });
  });

  const FORMATS: readonly [value: unknown, format: string | null][] = [
    ['2013-12-02 21:15:00', 'iso8601'],
    ['2013-12-02T21:15:00Z', 'iso8601'],
    ['2013-12-02', 'iso8601'],
    [1_700_000_000, 's'],
    [1_700_000_000_000, 'ms'],
    [1_700_000_000_000_000, 'us'],
    [1_700_000_000_000_000_000, 'ns'],
    ['12/02/2013', null],
    [-1, null],
    [true, null],
  ];
  for (const [value, format] of FORMATS) {
    it(`reads the time stamp ${JSON.stringify(value)} as ${format ?? 'none'}`, () => {
      expect(timeFormatOf(value)).to.equal(format);
    });
  }

  const NAMES: readonly [column: string, name: string][] = [
    ['Air temp. (°C)', 'Air_temp_C'],
    ['2nd', 'm_2nd'],
    ['sequence', 'sequence_value'],
    ['%', 'value'],
  ];
  for (const [column, name] of NAMES) {
    it(`makes column "${column}" the metric ${name}`, () => {
      expect(metricName(column)).to.equal(name);
    });
  }
});
