import { expect } from 'chai';
import type { ChannelWishes } from '../../../src/cli/use/declaration.ts';
import { checkKnownChannel } from '../../../src/cli/use/known-channel.ts';
import type { PlanChannel } from '../../../src/model/plan.ts';

const DAY_MS = 86_400_000;
const METRIC = { name: 'temperature', path: ['value'], unit: 'Cel', retired: false };
const CHANNEL = {
  name: 'climate',
  format: 'json',
  agePolicy: 'accept',
  maxAgeMs: 7 * DAY_MS,
  retentionMs: 0,
  metrics: [METRIC, { ...METRIC, name: 'old', retired: true }],
} as unknown as PlanChannel;

const wishes = (given: Partial<ChannelWishes>): ChannelWishes => ({
  channel: 'climate',
  historical: false,
  metrics: undefined,
  units: undefined,
  time: undefined,
  timeFormat: undefined,
  apart: [],
  ...given,
});
const metric = (name: string, path: string) => wishes({ metrics: new Map([[name, path]]) });
const unit = (text: string) => wishes({ units: new Map([['temperature', text]]) });

const CASES: readonly {
  readonly title: string;
  readonly wishes: ChannelWishes;
  readonly channel?: Partial<PlanChannel>;
  readonly fails?: readonly string[];
}[] = [
  { title: 'a file without wishes', wishes: wishes({}) },
  { title: 'historical data for a historical channel', wishes: wishes({ historical: true }) },
  {
    title: 'historical data for a channel that judges age',
    wishes: wishes({ historical: true }),
    channel: { agePolicy: 'reject' },
    fails: ['rejects events older than 7d', '`historical: true` under channels.climate in my.yaml'],
  },
  {
    title: 'historical data for a channel whose rows expire',
    wishes: wishes({ historical: true }),
    channel: { retentionMs: 14 * DAY_MS },
    fails: ['deletes rows after 14d'],
  },
  {
    title: 'rows for a channel of another format',
    wishes: wishes({}),
    channel: { format: 'protobuf' },
    fails: ['takes protobuf', 'channels.climate.format: json'],
  },
  { title: 'a metric as the channel has it', wishes: metric('temperature', 'value') },
  {
    title: 'a metric from another column',
    wishes: metric('temperature', 't'),
    fails: ['read from "value", not from "t"', '--column value=t'],
  },
  {
    title: 'a metric that the channel has not, or no longer',
    wishes: metric('old', 'value'),
    fails: ['no metric old', 'it has: temperature'],
  },
  { title: 'the unit that is stored', wishes: unit('[degF]>Cel') },
  { title: 'a raw unit alone', wishes: unit('[degF]') },
  {
    title: 'another stored unit',
    wishes: unit('[degF]>K'),
    fails: ['is stored in Cel, not in K'],
  },
];

describe('a file for a channel that is declared', () => {
  for (const { title, wishes: given, channel, fails } of CASES) {
    it(`${fails ? 'refuses' : 'takes'} ${title}`, () => {
      const check = () => checkKnownChannel({ ...CHANNEL, ...channel }, given, 'my.yaml');
      if (!fails) check();
      for (const text of fails ?? []) expect(check).to.throw(text);
    });
  }
});
