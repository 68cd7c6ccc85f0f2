/** Options of a metric of the catalogue and of a channel; see ./schema.ts. */
import { WINDOWS_PER_CHANNEL_MAX } from '../../model/limit.ts';
import {
  COLUMN_PATTERN,
  choice,
  dependentChoice,
  dictionary,
  duration,
  flag,
  jsonPath,
  list,
  number,
  retention,
  section,
  text,
} from './option.ts';

const UNIT_WHAT = 'a UCUM code such as m/s, Cel, [degF], % or 1';
const RETENTION_RANGE = ['1m', '100y'] as const;

export const METRIC_SCHEMA = section('A metric as it is stored.', {
  unit: text('Canonical unit (UCUM); values are stored in it.', {
    default: '1',
    what: UNIT_WHAT,
  }),
  kind: choice('Kind of value.', ['number', 'integer', 'boolean'], 'number'),
  min: number('Smallest valid value, in the canonical unit; null: no limit.'),
  max: number('Greatest valid value, in the canonical unit; null: no limit.'),
});

const CHANNEL_METRIC_SCHEMA = section('A metric of the channel; its name is in the catalogue.', {
  path: jsonPath('JSON: where the value is.', { byDefault: 'the name of the metric' }),
  unit: text('Unit (UCUM) in which the device sends it.', {
    byDefault: 'the canonical unit',
    what: UNIT_WHAT,
  }),
  required: flag('A sample without it is rejected (REQUIRED_MISSING).'),
});

const TIME_SCHEMA = section('Event time.', {
  path: jsonPath('JSON: where the time stamp is.', {
    byDefault: 'none: the received time stands for it',
  }),
  format: choice(
    'JSON: ISO 8601 text (UTC when it names no zone), or a number since 1970.',
    ['iso8601', 's', 'ms', 'us', 'ns'],
    'iso8601',
  ),
  required: flag('A sample without time is rejected (TIME_MISSING).'),
});

export const CHANNEL_SCHEMA = section('A channel.', {
  format: choice('How its payloads are written.', ['protobuf', 'json'], 'json'),
  time: TIME_SCHEMA,
  eventId: section('The id that makes a record recognisable when it is sent again.', {
    path: jsonPath('JSON: where the event id is.', {
      byDefault: 'none: only ids of the transport count',
    }),
  }),
  metrics: dictionary(
    'What its payloads carry. In this order metrics get their ordinals.',
    {
      pattern: COLUMN_PATTERN,
      what: 'letters, digits and _, not beginning with a digit',
    },
    CHANNEL_METRIC_SCHEMA,
  ),
  historical: flag('Old data: age is not judged (age.policy accept), retention is forever.'),
  age: section('How old an event may be when it arrives.', {
    max: duration('Greatest received time − event time.', {
      default: '7d',
      range: ['1s', '100y'],
    }),
    policy: dependentChoice(
      'What happens to an older one: TOO_OLD, or it is stored with a flag.',
      ['reject', 'accept'],
      'reject; accept when historical',
    ),
  }),
  clock: section('How far ahead a device’s clock may be.', {
    maxSkew: duration('Greatest event time − received time.', {
      default: '5m',
      range: ['0s', '1y'],
      zero: 'no event may lie in the future',
    }),
    policy: choice(
      'What happens beyond: CLOCK_AHEAD, or it is stored with a flag.',
      ['reject', 'accept'],
      'reject',
    ),
  }),
  unknownMetrics: dependentChoice(
    'A reading of a metric that the channel does not declare: METRIC_UNKNOWN, or passed over.',
    ['reject', 'ignore'],
    'reject for protobuf, ignore for json',
  ),
  windows: list(
    'Lengths of tumbling windows; each is whole in a day.',
    duration('Length of a window.', { range: ['1s', '1d'] }),
    { default: ['1m', '1h'], maxItems: WINDOWS_PER_CHANNEL_MAX },
  ),
  outOfOrder: duration('How much later than newer ones an event may come and be on time.', {
    default: '10s',
    range: ['0s', '1d'],
    zero: 'events come in order',
  }),
  lateness: duration('How long after its end a window is kept open for revisions.', {
    default: '1h',
    range: ['0s', '30d'],
    zero: 'a window leaves memory when it has closed; later events open a fragment',
  }),
  idle: duration('Silence (log time) after which a device’s open windows close.', {
    byDefault: '30s; 2s when historical: a file that has ended sends nothing more',
    range: ['1s', '1d'],
  }),
  retention: dictionary(
    'How long rows are kept: `readings` (samples), and windows by length, such as `1m`.',
    { pattern: '^(readings|[1-9][0-9]{0,8}(ms|s|m|h|d))$', what: 'readings or a window’s length' },
    retention('How long.', {
      range: RETENTION_RANGE,
      byDefault: '14d readings, 90d windows below 1h, 5y longer ones; forever when historical',
    }),
  ),
});
