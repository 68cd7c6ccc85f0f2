/**
 * The samples of the query bench as they count, without FINAL and without views. In: every row that
 * was ever written to a channel's table. Out: per key the row of the highest generation, without
 * those that a lost tail had written; metrics that a sample lacks are null.
 */
import type { Connection } from '../../src/readmodel/connection.ts';
import { CHANNELS, type Channel } from './fleet.ts';

export interface Sample {
  readonly site: string;
  readonly device: string;
  readonly timeMs: number;
  readonly values: Readonly<Record<string, number | null>>;
}

export interface Samples {
  readonly truck: readonly Sample[];
  readonly diagnostics: readonly Sample[];
}

interface Written {
  readonly site: string;
  readonly device: string;
  readonly time: string;
  readonly partition: number;
  readonly sequence: string;
  readonly ordinal: number;
  readonly presence: string;
  readonly version: number;
  readonly values: readonly number[];
}

interface Cut {
  readonly partition: number;
  readonly generation: number;
  readonly cut: string;
}

export async function readSamples(connection: Connection, database: string): Promise<Samples> {
  const cuts = await connection.rows<Cut>(
    `SELECT partition, generation, cut FROM ${database}.generations`,
  );
  const [truck, diagnostics] = await Promise.all(
    CHANNELS.map(async (channel) => {
      const values = Object.keys(channel.metrics).map((name) => `toFloat64(${name})`);
      const written = await connection.rows<Written>(
        'SELECT site, device, toUnixTimestamp64Milli(event_time) AS time, partition, sequence, ' +
          `ordinal, presence, version, [${values.join(', ')}] AS values ` +
          `FROM ${database}.ch_${channel.name}`,
      );
      return counting(channel, written, cuts);
    }),
  );
  return { truck: truck!, diagnostics: diagnostics! };
}

function counting(
  channel: Channel,
  written: readonly Written[],
  cuts: readonly Cut[],
): readonly Sample[] {
  const newest = new Map<string, Written>();
  for (const row of written) {
    const { site, device, time, partition, sequence, ordinal } = row;
    const key = [site, device, time, partition, sequence, ordinal].join('/');
    const known = newest.get(key);
    if (known === undefined || known.version < row.version) newest.set(key, row);
  }
  const isCut = (row: Written) =>
    cuts.some(
      ({ partition, generation, cut }) =>
        partition === row.partition &&
        row.version < generation &&
        BigInt(row.sequence) > BigInt(cut),
    );
  const names = Object.keys(channel.metrics);
  return [...newest.values()]
    .filter((row) => !isCut(row))
    .map(({ site, device, time, presence, values }) => {
      const isPresent = (place: number) => (BigInt(presence) >> BigInt(place)) % 2n === 1n;
      const cells = names.map((name, place) => [name, isPresent(place) ? values[place]! : null]);
      return { site, device, timeMs: Number(time), values: Object.fromEntries(cells) };
    });
}
