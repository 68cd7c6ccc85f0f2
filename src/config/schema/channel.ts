/** Options of a metric of the catalogue and of a channel; see ./schema.ts. */
import { TEXT_VALUES_MAX } from '../../model/limit.ts';
import { ALERTS_SCHEMA, RULES_SCHEMA } from './condition.ts';
import {
  COLUMN_PATTERN,
  choice,
  dependentChoice,
  dependentFlag,
  dictionary,
  duration,
  flag,
  jsonPath,
  list,
  number,
  optionalDuration,
  optionalList,
  retention,
  schemaId,
  section,
  text,
} from './option.ts';
import { WINDOWS_SCHEMA } from './window.ts';

const UNIT_WHAT = 'a UCUM code such as m/s, Cel, [degF], % or 1';
const RETENTION_RANGE = ['1m', '100y'] as const;

export const METRIC_SCHEMA = section('A metric as it is stored.', {
  unit: text('Canonical unit (UCUM); values are stored in it.', {
    default: '1',
    what: UNIT_WHAT,
  }),
  kind: choice('Kind of value.', ['number', 'integer', 'boolean', 'text'], 'number'),
  min: number('Smallest valid value, in the canonical unit; null: no limit.'),
  max: number('Greatest valid value, in the canonical unit; null: no limit.'),
  values: optionalList(
    'Text: the only values allowed; others are NOT_LISTED.',
    text('A value.', { what: 'a text' }),
    { byDefault: 'any', minItems: 1, maxItems: TEXT_VALUES_MAX },
  ),
  maxRate: number(
    'Greatest change per second since the latest value, in the canonical unit (RATE_EXCEEDED); ' +
      'null: not judged.',
    { exclusiveMinimum: 0 },
  ),
  stuck: optionalDuration('The same value for longer than this is VALUE_STUCK.', {
    byDefault: 'not judged',
    range: ['1s', '1y'],
  }),
});

const PATH_BY_DEFAULT = 'the name of the metric; canonical Protobuf has fixed places';

const CHANNEL_METRIC_SCHEMA = section('A metric of the channel; its name is in the catalogue.', {
  path: jsonPath(
    'Where the value is: members or fields. Sparkplug: the metric’s name, or [device, name]; ' +
      'SenML: the name.',
    { byDefault: PATH_BY_DEFAULT },
  ),
  unit: text('Unit (UCUM) in which the device sends it; SenML: what `u` must say.', {
    byDefault: 'the canonical unit',
    what: UNIT_WHAT,
  }),
  required: flag('A sample without it is rejected (REQUIRED_MISSING).'),
});

const TIME_SCHEMA = section('Event time.', {
  path: jsonPath('JSON, Avro, Protobuf by schema: where the time stamp is.', {
    byDefault: 'none: the received time stands for it',
  }),
  format: choice(
    'ISO 8601 text (UTC when it names no zone), or a number since 1970.',
    ['iso8601', 's', 'ms', 'us', 'ns'],
    'iso8601',
  ),
  of: choice('With `samples.path`: where the path begins.', ['sample', 'record'], 'sample'),
  required: flag('A sample without time is rejected (TIME_MISSING).'),
});

const SCHEMA_SCHEMA = section('How payloads are written, for avro, and protobuf of your own.', {
  file: text('An .avsc or .proto file, relative to this file.', {
    byDefault: 'none',
    what: 'the name of a file',
  }),
  message: text('Protobuf: name of the message that payloads are.', {
    byDefault: 'none: needed with a .proto file',
    what: 'the name of a message such as fleet.v1.Report',
  }),
  ids: list('Ids that a Confluent prefix may name.', schemaId('Id of the schema registry.'), {
    default: [],
    maxItems: 64,
  }),
});

export const CHANNEL_SCHEMA = section('A channel.', {
  format: choice(
    'How its payloads are written; protobuf: proto/telemetry.proto, or the message of `schema`.',
    ['protobuf', 'json', 'sparkplug', 'senml-json', 'senml-cbor', 'avro'],
    'json',
  ),
  schema: SCHEMA_SCHEMA,
  framing: choice(
    'What stands before a payload: nothing, or the prefix of Confluent’s serializers.',
    ['none', 'confluent'],
    'none',
  ),
  samples: section('What a sample is, and whether each becomes a row.', {
    path: jsonPath('JSON, Avro, Protobuf by schema: an array whose elements are the samples.', {
      byDefault: 'none: a payload is one sample',
    }),
    store: flag(
      'Samples become rows of `v_<channel>`; false: only windows, alerts and the latest values.',
      true,
    ),
  }),
  time: TIME_SCHEMA,
  eventId: section('The id that makes a record recognisable when it is sent again.', {
    path: jsonPath('JSON, Avro, Protobuf by schema: where the event id is.', {
      byDefault: 'none: only ids of the transport count',
    }),
  }),
  dedup: section('Records without any id.', {
    content: dependentFlag(
      'They are known again by their content, as every payload has a time of its own.',
      'true where payloads carry their time, except canonical protobuf',
    ),
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
      'What happens beyond: CLOCK_AHEAD, or it is stored with a flag; correct: the clock of a ' +
        'device that runs ahead is set back by its measured offset first.',
      ['reject', 'accept', 'correct'],
      'reject',
    ),
  }),
  suspect: choice(
    'What happens to readings that change too fast, are stuck or break a rule.',
    ['reject', 'accept'],
    'reject',
  ),
  rules: RULES_SCHEMA,
  alerts: ALERTS_SCHEMA,
  score: choice(
    'Anomaly score: none, a running mean and variance per series, or also one per hour of week.',
    ['none', 'ewma', 'seasonal'],
    'ewma',
  ),
  timely: duration('A sample stored later than this after its event is not timely (quality).', {
    default: '60s',
    range: ['0s', '1y'],
    zero: 'none is timely that is not stored in the millisecond of its event',
  }),
  unknownMetrics: dependentChoice(
    'A reading of a metric that the channel does not declare: METRIC_UNKNOWN, or passed over.',
    ['reject', 'ignore'],
    'reject for canonical protobuf, else ignore',
  ),
  windows: WINDOWS_SCHEMA,
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
    'How long rows are kept: `readings` (samples), and windows by name, such as `1m`.',
    { pattern: '^[a-z0-9][a-z0-9_]{0,31}$', what: 'readings or a window’s name' },
    retention('How long.', {
      range: RETENTION_RANGE,
      byDefault: '14d readings, 90d windows below 1h, 5y longer ones; forever when historical',
    }),
  ),
});
