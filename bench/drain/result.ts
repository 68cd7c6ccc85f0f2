/**
 * What a drain left in ClickHouse, whoever wrote it: how many samples and how many closed windows,
 * and a hash over all windows. In: a query. Equal for subjects that read the same log, or one of
 * them is wrong.
 */
import type { Query } from '../../src/query/index.ts';
import type { DrainCase } from './case.ts';

export interface DrainResult {
  readonly samples: number;
  readonly windows: number;
  readonly hash: string;
}

/** Of strings and plain numbers: the same whatever types a table has. */
const WINDOW_HASH = `lower(hex(groupBitXor(cityHash64(
  toString(tenant), toString(site), toString(device), toString(metric), toInt64(start),
  toUInt64(count), sum, min, max, first, last))))`;

export async function millraceResult(query: Query, given: DrainCase): Promise<DrainResult> {
  const { channel } = given.shape;
  const windows = `SELECT tenant, site, device, metric,
    toUnixTimestamp64Milli(window_start) AS start, count, sum, min, max, first, last
    FROM v_agg_1m WHERE channel = '${channel}'`;
  return resultOf(query, `SELECT 1 FROM v_${channel}`, windows);
}

/** Tables of the naive peer (naive.ts). */
export async function naiveResult(query: Query): Promise<DrainResult> {
  const windows = `SELECT tenant, site, device, m AS metric, start, c AS count, s AS sum, a AS min,
    b AS max, f AS first, l AS last FROM naive_1m
    ARRAY JOIN metric AS m, count AS c, sum AS s, min AS a, max AS b, first AS f, last AS l`;
  return resultOf(query, 'SELECT 1 FROM naive_samples', windows);
}

async function resultOf(query: Query, samples: string, windows: string): Promise<DrainResult> {
  const [counted] = await query.rows<{ samples: string }>(
    `SELECT count() AS samples FROM (${samples})`,
  );
  const [folded] = await query.rows<{ windows: string; hash: string }>(
    `SELECT count() AS windows, ${WINDOW_HASH} AS hash FROM (${windows})`,
  );
  const { windows: count, hash } = folded!;
  return { samples: Number(counted!.samples), windows: Number(count), hash };
}
