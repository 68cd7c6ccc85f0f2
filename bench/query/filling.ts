/**
 * Fills the product's tables for the query bench. In: a migrated database, a fleet. Out: rows as a
 * system leaves them that ran for days: first writings in the order of the log, what replays wrote
 * again, what a new generation replaced and hides, minutes and hours with earlier revisions and
 * fragments, devices, ledger, visible.
 */
import type { Connection } from '../../src/readmodel/connection.ts';
import { accountRows } from './account.ts';
import {
  CHANNELS,
  type Fleet,
  messageStep,
  PARTITIONS,
  type Rows,
  sampleRows,
  sequenceBelow,
  type Writing,
} from './fleet.ts';
import { EARLIER_REVISIONS, windowRows, windowSpans } from './window.ts';

/** Steps of an INSERT: a quarter of a day, well within the time that a request may take. */
const INSERT_STEPS = 2_160;
/** A worker was killed once a day: the last half hour of the log was written again, 2 %. */
const IS_REPLAYED = 'step % 8640 < 180';
/** The trucks of this partition were recomputed: every fifth row changed, 1.2 % of all. */
const RECOMPUTED = `truck % ${PARTITIONS} = 7 AND step % 5 = 0`;
/** This partition's log lost its tail, a fifth; devices sent it again under a new generation. */
const CUT_PARTITION = 3;
const CUT_SHARE = 0.8;
/** Behind every ordinal of a first writing. */
const LOST_ORDINAL = 10_000;
/** What recomputing took away from velocities and loads. */
const WRONG_BY = 2;

export async function fill(connection: Connection, database: string, fleet: Fleet): Promise<void> {
  const insert = (table: string, { columns, from }: Rows): Promise<void> =>
    connection.command(
      `INSERT INTO ${database}.${table} (${Object.keys(columns).join(', ')})\n` +
        `SELECT ${Object.values(columns).join(', ')}\nFROM ${from}\n` +
        'SETTINGS insert_deduplicate = 0',
    );
  const cutStep = messageStep(Math.floor(fleet.steps * CUT_SHARE));
  for (let from = 0; from < fleet.steps; from += INSERT_STEPS) {
    const span = [from, Math.min(fleet.steps, from + INSERT_STEPS)] as const;
    for (const channel of CHANNELS) {
      for (const writing of writings(cutStep)) {
        await insert(`ch_${channel.name}`, sampleRows(fleet, channel, span, writing));
      }
    }
  }
  await connection.insertRows(`${database}.generations`, [
    {
      ...{ log: 'main', partition: CUT_PARTITION, generation: 2, is_deleted: 0 },
      cut: sequenceBelow(fleet, cutStep),
    },
  ]);
  for (const tier of ['1m', '1h'] as const) {
    for (const channel of CHANNELS) {
      for (const span of windowSpans(fleet, tier)) {
        await insert(`agg_${tier}`, windowRows(`${database}.v_${channel.name}`, channel, span));
      }
    }
    await connection.command(EARLIER_REVISIONS.replaceAll('{table}', `${database}.agg_${tier}`));
  }
  for (const [table, rows] of Object.entries(accountRows(database, fleet))) {
    await insert(table, rows);
  }
}

function writings(cutStep: number): Writing[] {
  const lost = `truck % ${PARTITIONS} = ${CUT_PARTITION} AND step >= ${cutStep}`;
  const plain = { generation: 1, ordinalMore: 0, valueMore: 0 };
  return [
    { ...plain, where: `NOT (${lost}) AND NOT (${RECOMPUTED})` },
    { ...plain, where: `NOT (${lost}) AND NOT (${RECOMPUTED}) AND ${IS_REPLAYED}` },
    { ...plain, where: RECOMPUTED, valueMore: WRONG_BY },
    { ...plain, where: RECOMPUTED, generation: 2 },
    { ...plain, where: lost, ordinalMore: LOST_ORDINAL },
    { ...plain, where: lost, generation: 2 },
  ];
}
