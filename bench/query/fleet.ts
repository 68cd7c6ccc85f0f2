/**
 * The fleet of the query bench, as SQL. In: how many trucks and steps. Out: SELECTs over
 * `numbers()` of samples as the kernel would have written them: every value is a function of truck
 * and step, so that every run has the same rows.
 *
 *   n = step · trucks + truck      in the order of the log: one step of all trucks after the other
 *   a truck drives four to five of every six hours, stands for the rest, and is broken down for a
 *   slot of ten minutes now and then; one entry in ten never came, some lack a metric
 */

/** Midnight of a Thursday: data of a week and more lies in two or three weekly partitions. */
export const START_MS = Date.UTC(2026, 0, 1);
export const STEP_S = 10;
export const TRUCK_METRICS = 7;
export const PARTITIONS = 16;
/** Nobody's retention: the bench's data does not age. */
export const NEVER = 'toDateTime(4294967295)';

/** Cells of a truck's life, in steps. */
const CYCLE_STEPS = 2_160;
const DRIVE_STEPS = 1_440;
const SLOT_STEPS = 60;
const MINUTE_STEPS = 6;
const TANK_STEPS = 4_320;
/** Entries of all trucks that lie in one message of each partition. */
const MESSAGE_ENTRIES = 1_600;
/** One entry in so many never came. */
const MISSING_OF = 10;

export interface Fleet {
  readonly trucks: number;
  readonly steps: number;
}

/** As many steps as give so many readings in `v_truck`. */
export function fleetOf(readings: number, trucks: number): Fleet {
  const samples = readings / TRUCK_METRICS / (1 - 1 / MISSING_OF);
  // Whole minutes: nothing lies in a minute that is still running.
  return { trucks, steps: Math.round(samples / trucks / MINUTE_STEPS) * MINUTE_STEPS };
}

export const endMs = ({ steps }: Fleet): number => START_MS + steps * STEP_S * 1_000;

export interface Channel {
  readonly name: 'truck' | 'diagnostics';
  /** Metric → value, by `truck`, `step` and the columns of `life`. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Presence bits of the sample. */
  readonly presence: string;
  /** Number of the channel among the records of a step; also of its random numbers. */
  readonly place: 0 | 1;
}

const noise = (salt: number): string => `(intHash32(n * 16 + ${salt}) % 10000 / 10000.)`;
const near = (value: string, digits: number): string => `round(${value}, ${digits})`;

export const TRUCK: Channel = {
  name: 'truck',
  place: 0,
  metrics: {
    latitude: near('intHash32(truck) % 100 - 50 + 0.2 * sin(step / 500 + truck)', 5),
    longitude: near('intHash32(truck + 1000000) % 300 - 150 + 0.2 * cos(step / 500 + truck)', 5),
    elevation: near('250 + 200 * sin(step / 200 + truck)', 2),
    velocity: near(`if(drives, 19 + 5 * sin(step / 30 + truck) + 3 * ${noise(1)}, 0)`, 3),
    heading: near('(truck * 13 + step * 0.7) % 360', 1),
    grade: near(`10 * ${noise(2)}`, 2),
    fuel_consumption: near(`if(drives, 25 + 8 * sin(step / 30 + truck) + 4 * ${noise(3)}, 1)`, 3),
  },
  // One in a hundred without fuel_consumption: the sensor was out of range.
  presence: 'if(intHash32(n * 16 + 4) % 100 = 0, 63, 127)',
};

export const DIAGNOSTICS: Channel = {
  name: 'diagnostics',
  place: 1,
  metrics: {
    fuel_state: near(`1 - (step + truck * 271) % ${TANK_STEPS} / ${TANK_STEPS}`, 5),
    current_load: 'toFloat64(intHash32(truck * 7919 + trip) % (capacity + 1))',
    status: 'if(broken, 0, 1 + trip % 5)',
  },
  presence: '7',
};

export const CHANNELS: readonly Channel[] = [TRUCK, DIAGNOSTICS];

/** What a row is besides its metrics; replays differ from the first time in these only. */
export interface Writing {
  readonly generation: number;
  /** Added to the place in the log: a row with another key. */
  readonly ordinalMore: number;
  /** Added to velocity and load: tells a replaced row from its replacement. */
  readonly valueMore: number;
  /** Condition on `truck` and `step`. */
  readonly where: string;
}

/** Rows of a table: column → expression, and where they come from. */
export interface Rows {
  readonly columns: Readonly<Record<string, string>>;
  readonly from: string;
}

/** Messages below this step have sequences up to it, those from it on have greater ones. */
export const sequenceBelow = (fleet: Fleet, step: number): number =>
  Math.ceil((step * fleet.trucks) / MESSAGE_ENTRIES);

/** The next step above at which a message of every partition begins. */
export const messageStep = (step: number): number =>
  Math.ceil(step / MESSAGE_ENTRIES) * MESSAGE_ENTRIES;

/** Rows of `ch_<channel>` for steps `from ≤ step < to`. */
export function sampleRows(
  fleet: Fleet,
  channel: Channel,
  [from, to]: readonly [number, number],
  writing: Writing,
): Rows {
  const { trucks } = fleet;
  const { place, metrics } = channel;
  const moved = new Set(['velocity', 'current_load']);
  const values = Object.entries(metrics).map(([name, value]) => {
    return [name, moved.has(name) ? `${value} + ${writing.valueMore}` : value] as const;
  });
  const numbers = `numbers(${from * trucks}, ${(to - from) * trucks})`;
  return {
    columns: {
      ...{ tenant: "'demo'", site: "['East', 'West', 'North', 'South'][truck % 4 + 1]" },
      ...{ device: "concat('truck_', toString(truck))", event_time: 'time' },
      received_at: 'time + toIntervalMillisecond(40)',
      log_time: 'time + toIntervalMillisecond(60)',
      partition: `truck % ${PARTITIONS}`,
      sequence: `intDiv(n, ${MESSAGE_ENTRIES}) + 1`,
      ordinal: `n % ${MESSAGE_ENTRIES} * 2 + ${place + writing.ordinalMore}`,
      ...{ flags: '0', presence: channel.presence, version: `${writing.generation}` },
      ...{ is_deleted: '0', expires_at: NEVER, device_time: 'time' },
      ...Object.fromEntries(values),
    },
    from: [
      `(SELECT ${lifeColumns(trucks).join(', ')} FROM ${numbers})`,
      `WHERE intHash32(n * 16 + ${8 + place}) % ${MISSING_OF} != 0 AND (${writing.where})`,
    ].join('\n'),
  };
}

function lifeColumns(trucks: number): string[] {
  const stepMs = STEP_S * 1_000;
  return [
    ...['number AS n', `n % ${trucks} AS truck`, `intDiv(n, ${trucks}) AS step`],
    `intDiv(step + truck * 271, ${CYCLE_STEPS}) AS trip`,
    `(step + truck * 271) % ${CYCLE_STEPS} < ${DRIVE_STEPS} + truck % 5 * 90 AS on_tour`,
    `intHash32(truck * 1000003 + intDiv(step, ${SLOT_STEPS})) % 50 = 0 AS broken`,
    'on_tour AND NOT broken AS drives',
    '[1500, 2000, 3000, 5000][truck % 4 + 1] AS capacity',
    `toDateTime64('${dateTime(START_MS)}', 3, 'UTC') + toIntervalMillisecond(` +
      `step * ${stepMs} + intDiv(truck * ${stepMs}, ${trucks})) AS time`,
  ];
}

/** As ClickHouse reads it, to the millisecond. */
export function dateTime(ms: number): string {
  return new Date(ms).toISOString().replace('T', ' ').replace('Z', '');
}
