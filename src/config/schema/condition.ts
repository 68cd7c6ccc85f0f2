/** What a channel says about its values: rules across metrics, and alerts; see ./schema.ts. */
import {
  amount,
  choice,
  dictionary,
  duration,
  NAME_PATTERN,
  number,
  range,
  section,
  text,
} from './option.ts';

const NAMES = { pattern: NAME_PATTERN, what: '1 to 64 characters of A-Z a-z 0-9 _ -' };
const METRIC = '[A-Za-z_][A-Za-z0-9_]{0,63}';
export const RULE_PATTERN = `^\\s*(${METRIC})\\s*(<=|>=|!=|<|>|=)\\s*(${METRIC})\\s*$`;

export const RULES_SCHEMA = dictionary(
  'Comparisons that must hold within a sample; both metrics of a broken one are RULE_BROKEN.',
  NAMES,
  text('Two metrics and one of < <= = != >= >.', {
    pattern: RULE_PATTERN,
    what: 'a comparison of two metrics such as "inside <= outside"',
  }),
);

export const ALERTS_SCHEMA = dictionary(
  'Conditions on current values that raise and clear an alert; by the name of its rule.',
  NAMES,
  section('An alert: one of above, below or outside.', {
    metric: text('Metric of the channel, a number or an integer.', {
      what: 'the name of a metric',
    }),
    above: number('Raised above this value, in the canonical unit.'),
    below: number('Raised below this value.'),
    outside: range('Raised below the first or above the second value.'),
    hysteresis: amount('How far back inside the bound a value must be to clear it.', 0),
    dwell: duration('Event time for which the condition must hold before it is raised.', {
      default: '0s',
      range: ['0s', '31d'],
      zero: 'raised at the first value',
    }),
    severity: choice('Token in its subject.', ['info', 'warning', 'critical'], 'warning'),
  }),
);
