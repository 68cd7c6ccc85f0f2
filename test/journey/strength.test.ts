/**
 * What the kernel judges, windows and scores, as a user meets it: files through `millrace ingest`,
 * answers from the views. Every number is worked out by hand from the rows below.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Instance } from '../support/instance.ts';

/** An hour and a minute begin here. */
const START_MS = Date.UTC(2026, 0, 1);
/** Counters of a minute become a row when log time has left it. */
const QUALITY_MS_MAX = 180_000;

const CONFIG = `
metrics:
  speed: { unit: m/s, min: 0, max: 100, maxRate: 2 }
  load: { unit: kg, min: 0, max: 1000 }
  axle: { unit: kg, min: 0, max: 1000, stuck: 1m }
  state: { kind: text, values: [IDLE, DRIVE] }
channels:
  van:
    format: json
    historical: true
    time: { path: at, format: ms, required: true }
    metrics: { speed: {}, load: {}, axle: {}, state: {} }
    rules: { axle_fits: axle <= load }
    score: seasonal
    outOfOrder: 0s
    alerts:
      speeding: { metric: speed, above: 20, hysteresis: 2, dwell: 20s, severity: critical }
    windows:
      - 1m
      - 1h
      - { length: 2m, every: 1m }
      - { session: 30s, max: 1h }
      - { count: 4, every: 2 }
`;

const at = (second: number, readings: object): string =>
  JSON.stringify({ at: START_MS + second * 1000, ...readings });

/** Of van a: ten rows are stored whole, three in part, two not at all. */
const VAN_A = [
  at(0, { speed: 10, load: 100, axle: 40, state: 'DRIVE' }),
  at(10, { speed: 14 }),
  at(20, { speed: 22 }), // above 20 from here on
  at(30, { speed: 25 }),
  at(40, { speed: 24 }), // for 20 s: raised
  at(50, { speed: 26 }),
  at(60, { speed: 19, axle: 40 }), // not 2 below the bound yet; the axle's value is a minute old
  at(70, { speed: 16, axle: 40 }), // cleared; the axle is stuck
  at(80, { speed: 90 }), // 74 more in 10 s
  at(90, { speed: 15, load: 200, axle: 500 }), // the rule refuses both weights
  at(100, { speed: 15, state: 'FLY' }),
  at(300, { speed: 12 }),
  at(310, { speed: 12 }),
  '{"at": nonsense}',
  at(3600, { speed: 20 }),
];

/** Of van b: mean 11 and variance 1, then a value five deviations away. */
const VAN_B = [
  ...Array.from({ length: 40 }, (_, index) => at(index * 10, { speed: index % 2 ? 12 : 10 })),
  at(400, { speed: 16 }),
];

const VIEWS = { hop: 'v_agg_2m_every_1m', session: 'v_agg_session_30s', last: 'v_agg_last_4' };

describe('a channel with every check, window, alert and score', function () {
  this.timeout(300_000);
  const folder = mkdtempSync(join(tmpdir(), 'millrace-strength-'));
  const config = join(folder, 'millrace.yaml');
  let instance: Instance;

  before(async () => {
    writeFileSync(config, CONFIG);
    writeFileSync(join(folder, 'a.ndjson'), VAN_A.join('\n'));
    writeFileSync(join(folder, 'b.ndjson'), VAN_B.join('\n'));
    instance = new Instance('--config', config);
    await instance.start();
    expect((await ingest('a')).code).to.equal(0);
    expect((await ingest('b')).code).to.equal(0);
    await instance.until('every window closed', async () => {
      const [{ n }] = await instance.rows<{ n: string }>(
        "SELECT sum(count) AS n FROM v_agg_1h WHERE metric = 'speed' AND NOT open",
      );
      return n === '54';
    });
  });
  after(async () => {
    await instance?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const ingest = (van: string, ...more: string[]) =>
    instance.command('ingest', join(folder, `${van}.ndjson`), '--channel', 'van', ...more);

  /** Start and end in seconds, then what is asked for, of van a's speed. */
  async function windows(view: string, columns: string): Promise<unknown[][]> {
    const rows = await instance.rows<{ row: unknown[] }>(
      `SELECT [(toUnixTimestamp64Milli(window_start) - ${START_MS}) / 1000,
       (toUnixTimestamp64Milli(window_end) - ${START_MS}) / 1000, ${columns}] AS row
       FROM ${view} WHERE device = 'a' AND metric = 'speed' ORDER BY window_start`,
    );
    return rows.map(({ row }) => row);
  }

  it('stores what is good and keeps what is not, by reason', async () => {
    const [ledger] = await instance.rows(
      `SELECT sum(records_in) AS records, sum(stored) AS stored, sum(partly) AS partly,
       sum(rejected) AS rejected, countIf(NOT balanced OR NOT readings_balanced) AS odd
       FROM v_ledger`,
    );
    const all = { records: '56', stored: '51', partly: '3', rejected: '2', odd: '0' };
    expect(ledger).to.deep.equal(all);
    const letters = await instance.rows<{ reason: string; metric: string }>(
      'SELECT reason, metric FROM v_dead_letters ORDER BY sequence, index',
    );
    expect(letters.map(({ reason, metric }) => `${reason} ${metric}`.trim())).to.deep.equal([
      ...['VALUE_STUCK axle', 'RATE_EXCEEDED speed', 'RULE_BROKEN load', 'NOT_LISTED state'],
      'PAYLOAD_MALFORMED',
    ]);
  });

  it('shows the same readings in the channel and among all readings', async () => {
    const readings = await instance.rows(
      `SELECT metric, count() AS n, sumIf(value, metric != 'state') AS total,
       max(value_text) AS text FROM v_readings WHERE device = 'a' GROUP BY metric ORDER BY metric`,
    );
    expect(readings).to.deep.equal([
      { metric: 'axle', n: '2', total: 80, text: null },
      { metric: 'load', n: '1', total: 100, text: null },
      { metric: 'speed', n: '13', total: 230, text: null },
      { metric: 'state', n: '1', total: 0, text: 'DRIVE' },
    ]);
    const [row] = await instance.rows(
      `SELECT count() AS n, sum(speed) AS speed, countIf(partly) AS partly,
       countIf(time_unjudged) AS old FROM v_van WHERE device = 'a'`,
    );
    expect(row).to.deep.equal({ n: '13', speed: 230, partly: '3', old: '13' });
  });

  it('closes minutes, hours, hopping, session and count windows', async () => {
    const columns = 'toFloat64(count), sum, min, max, first, last';
    expect(await windows('v_agg_1m', columns)).to.deep.equal([
      [0, 60, 6, 121, 10, 26, 10, 26],
      [60, 120, 4, 65, 15, 19, 19, 15],
      [300, 360, 2, 24, 12, 12, 12, 12],
      [3600, 3660, 1, 20, 20, 20, 20, 20],
    ]);
    expect(await windows('v_agg_1h', columns)).to.deep.equal([
      [0, 3600, 12, 210, 10, 26, 10, 12],
      [3600, 7200, 1, 20, 20, 20, 20, 20],
    ]);
    expect(await windows(VIEWS.hop, 'toFloat64(count), sum')).to.deep.equal([
      [-60, 60, 6, 121],
      [0, 120, 10, 186],
      [60, 180, 4, 65],
      [240, 360, 2, 24],
      [300, 420, 2, 24],
      [3540, 3660, 1, 20],
      [3600, 3720, 1, 20],
    ]);
    expect(await windows(VIEWS.session, 'toFloat64(count), sum')).to.deep.equal([
      [0, 130, 10, 186],
      [300, 340, 2, 24],
      [3600, 3630, 1, 20],
    ]);
    expect(await windows(VIEWS.last, 'toFloat64(count), sum')).to.deep.equal([
      [0, 30.001, 4, 71],
      [20, 50.001, 4, 97],
      [40, 70.001, 4, 85],
      [60, 100.001, 4, 65],
      [90, 310.001, 4, 54],
    ]);
  });

  it('knows rates, means by time, deviations and quantiles', async () => {
    const [minute] = await windows('v_agg_1m', 'rate, time_weighted_mean');
    expect(minute).to.deep.equal([0, 60, 0.32, 19]);
    // 12, 12: no deviation; 19, 16, 15, 15: mean 16.25, squares about it 10.75.
    const minutes = await windows('v_agg_1m', 'm2');
    expect(minutes[1]![2]).to.be.closeTo(10.75, 1e-11);
    expect(minutes[2]![2]).to.equal(0);
    const [hour] = await windows('v_agg_1h', 'p50, p95');
    expect(hour![2]).to.be.closeTo(15, 15 / 128);
    expect(hour![3]).to.be.closeTo(25, 25 / 128);
  });

  it('raises an alert that has dwelt, and clears it behind its hysteresis', async () => {
    const second = (column: string) =>
      `(toUnixTimestamp64Milli(assumeNotNull(${column})) - ${START_MS}) / 1000 AS ${column}_s`;
    const alerts = await instance.rows(
      `SELECT device, rule, severity, metric, active, value, peak, cleared_value,
       ${second('since')}, ${second('raised_at')}, ${second('cleared_at')} FROM v_alerts`,
    );
    expect(alerts).to.deep.equal([
      {
        ...{ device: 'a', rule: 'speeding', severity: 'critical', metric: 'speed' },
        ...{ active: false, value: 24, peak: 26, cleared_value: 16 },
        ...{ since_s: 20, raised_at_s: 40, cleared_at_s: 70 },
      },
    ]);
  });

  it('scores what stands out', async () => {
    const scores = await instance.rows<{ device: string; highest: number; latest: number }>(
      `SELECT device, max(score) AS highest, argMax(last, score) AS latest FROM v_agg_1m
       WHERE metric = 'speed' GROUP BY device ORDER BY device`,
    );
    const [a, b] = scores;
    expect(a).to.include({ device: 'a', highest: 0 }); // too few readings for one
    expect(b).to.include({ device: 'b', latest: 16 });
    expect(b!.highest).to.be.closeTo(5, 1e-4);
  });

  it('counts the dimensions of quality per device', async () => {
    const columns = ['validity', 'uniqueness', 'timeliness', 'accuracy', 'consistency'];
    const shares = [...columns, 'completeness'].map(
      (name) => `concat(toString(sum(${name}_good)), '/', toString(sum(${name}_total))) AS ${name}`,
    );
    const ask = () =>
      instance.rows<Record<string, string>>(
        `SELECT ${shares.join(', ')} FROM v_quality_1m WHERE device = 'a'`,
      );
    await instance.until(
      'counters of the minute are a row',
      async () => (await ask())[0]!['validity'] === '14/15',
      QUALITY_MS_MAX,
    );
    expect((await ask())[0]).to.deep.equal({
      ...{ validity: '14/15', uniqueness: '14/14', timeliness: '0/14' },
      ...{ accuracy: '19/22', consistency: '20/22' },
      // Every 10 s something was due: 1, then 17, then 269 by the cadence that had become longer.
      completeness: '13/300',
    });
  });

  it('knows every stored row again', async () => {
    const again = await ingest('b', '--restart', '--json');
    expect(again.code, again.stderr).to.equal(0);
    const [ledger] = await instance.rows(
      'SELECT sum(stored) AS stored, sum(duplicate) AS duplicate FROM v_ledger',
    );
    expect(ledger).to.deep.equal({ stored: '51', duplicate: '41' });
  });
});
