/**
 * Questions about the books: does the ledger balance, what was rejected and why, how far can be
 * seen. In: an Asker. Out: plain values; counts are numbers (exact below 2^53), positions are
 * bigint.
 */
import type { Clock } from '../base/clock.ts';
import type { Asker, Parameters } from './ask.ts';

export interface LedgerSummary {
  readonly partitions: number;
  readonly blocks: number;
  readonly messages: number;
  /** Log messages that were gone before they were read; outside the sum. */
  readonly gapMessages: number;
  readonly recordsIn: number;
  readonly recordsOut: number;
  readonly stored: number;
  readonly partly: number;
  readonly duplicate: number;
  readonly dedupUnknown: number;
  readonly tooLate: number;
  readonly rejected: number;
  readonly filtered: number;
  readonly skipped: number;
  readonly readingsDecoded: number;
  readonly readingsStored: number;
  readonly readingsRejected: number;
  readonly samplesStored: number;
  /** Every block: each record that came in ended in exactly one state. */
  readonly balanced: boolean;
  readonly readingsBalanced: boolean;
  /** By reason, most records first. */
  readonly reasons: readonly ReasonCount[];
}

export interface ReasonCount {
  readonly reason: string;
  readonly records: number;
  readonly readings: number;
}

export interface PartitionLedger extends LedgerSummary {
  readonly partition: number;
}

export interface DeadLetterFilter {
  readonly reason?: string;
  readonly tenant?: string;
  readonly site?: string;
  readonly device?: string;
  readonly channel?: string;
  readonly partition?: number;
  readonly sequence?: bigint;
  readonly index?: number;
  /** At most so many, newest first; default 100. */
  readonly limit?: number;
}

export interface DeadLetterRow {
  readonly partition: number;
  readonly sequence: bigint;
  readonly index: number;
  readonly tenant: string;
  readonly site: string;
  readonly device: string;
  readonly channel: string;
  readonly reason: string;
  readonly metric: string;
  readonly offset: number;
  readonly receivedAtMs: number;
  readonly logTimeMs: number;
  readonly payloadBytes: number;
  /** First bytes of the payload; the whole is in the log at (partition, sequence). */
  readonly sample: Uint8Array;
}

const DEAD_LETTERS_DEFAULT = 100;
const VISIBLE_POLL_MS = 50;

const COUNTS = {
  messages: 'messages',
  gapMessages: 'gap_messages',
  recordsIn: 'records_in',
  recordsOut: 'records_out',
  stored: 'stored',
  partly: 'partly',
  duplicate: 'duplicate',
  dedupUnknown: 'dedup_unknown',
  tooLate: 'too_late',
  rejected: 'rejected',
  filtered: 'filtered',
  skipped: 'skipped',
  readingsDecoded: 'readings_decoded',
  readingsStored: 'readings_stored',
  readingsRejected: 'readings_rejected',
  samplesStored: 'samples_stored',
} as const;

const SUMMARY_COLUMNS = [
  'uniqExact(partition) AS partitions',
  'count() AS blocks',
  ...Object.entries(COUNTS).map(([name, column]) => `sum(l.${column}) AS ${name}`),
  'toUInt8(min(l.balanced)) AS isBalanced',
  'toUInt8(min(l.readings_balanced)) AS isReadingsBalanced',
  'sumMap(l.records_by_reason) AS recordsByReason',
  'sumMap(l.readings_by_reason) AS readingsByReason',
].join(', ');

type SummaryRow = Record<keyof typeof COUNTS | 'partitions' | 'blocks', string> & {
  readonly partition?: number;
  readonly isBalanced: number;
  readonly isReadingsBalanced: number;
  readonly recordsByReason: Readonly<Record<string, string>>;
  readonly readingsByReason: Readonly<Record<string, string>>;
};

export async function askLedger(asker: Asker): Promise<LedgerSummary> {
  const sql = `SELECT ${SUMMARY_COLUMNS} FROM v_ledger AS l`;
  const [row] = await asker.rows<SummaryRow>(sql);
  return summaryOf(row!);
}

export async function askLedgerByPartition(asker: Asker): Promise<PartitionLedger[]> {
  const rows = await asker.rows<SummaryRow>(
    `SELECT l.partition AS partition, ${SUMMARY_COLUMNS} FROM v_ledger AS l ` +
      'GROUP BY l.partition ORDER BY l.partition',
  );
  return rows.map((row) => ({ partition: row.partition!, ...summaryOf(row) }));
}

function summaryOf(row: SummaryRow): LedgerSummary {
  const blocks = Number(row.blocks);
  const counts = Object.fromEntries(
    Object.keys(COUNTS).map((name) => [name, Number(row[name as keyof typeof COUNTS])]),
  ) as Record<keyof typeof COUNTS, number>;
  const reasons = Object.entries(row.recordsByReason).map(([reason, records]) => ({
    reason,
    records: Number(records),
    readings: Number(row.readingsByReason[reason] ?? 0),
  }));
  return {
    partitions: Number(row.partitions),
    blocks,
    ...counts,
    // An empty account balances.
    balanced: blocks === 0 || row.isBalanced === 1,
    readingsBalanced: blocks === 0 || row.isReadingsBalanced === 1,
    reasons: reasons.sort(
      (left, right) => right.records - left.records || (left.reason < right.reason ? -1 : 1),
    ),
  };
}

const FILTER_TYPES = {
  reason: 'String',
  tenant: 'String',
  site: 'String',
  device: 'String',
  channel: 'String',
  partition: 'UInt16',
  sequence: 'UInt64',
  index: 'UInt32',
} as const;

type StoredLetter = Omit<DeadLetterRow, 'sequence' | 'sample' | 'receivedAtMs' | 'logTimeMs'> &
  Record<'sequence' | 'sample' | 'receivedAtMs' | 'logTimeMs', string>;

export async function askDeadLetters(
  asker: Asker,
  filter: DeadLetterFilter,
): Promise<DeadLetterRow[]> {
  const conditions: string[] = ['1'];
  const parameters: Record<string, unknown> = { limit: filter.limit ?? DEAD_LETTERS_DEFAULT };
  for (const [name, type] of Object.entries(FILTER_TYPES)) {
    const value = filter[name as keyof typeof FILTER_TYPES];
    if (value === undefined) continue;
    conditions.push(`d.${name} = {${name}: ${type}}`);
    parameters[name] = `${value}`;
  }
  const rows = await asker.rows<StoredLetter>(
    'SELECT d.partition AS partition, d.sequence AS sequence, d.index AS index, ' +
      'd.tenant AS tenant, d.site AS site, d.device AS device, d.channel AS channel, ' +
      'd.reason AS reason, d.metric AS metric, d.offset AS offset, ' +
      'toUnixTimestamp64Milli(d.received_at) AS receivedAtMs, ' +
      'toUnixTimestamp64Milli(d.log_time) AS logTimeMs, ' +
      'd.payload_bytes AS payloadBytes, base64Encode(d.sample) AS sample ' +
      `FROM v_dead_letters AS d WHERE ${conditions.join(' AND ')} ` +
      'ORDER BY d.log_time DESC, d.partition, d.sequence DESC, d.index DESC ' +
      'LIMIT {limit: UInt32}',
    parameters as Parameters,
  );
  return rows.map((row) => ({
    ...row,
    sequence: BigInt(row.sequence),
    receivedAtMs: Number(row.receivedAtMs),
    logTimeMs: Number(row.logTimeMs),
    sample: new Uint8Array(Buffer.from(row.sample, 'base64')),
  }));
}

/** Log sequence of a partition up to which all rows can be seen; 0 before the first flush. */
export async function askVisible(asker: Asker, partition: number): Promise<bigint> {
  const sql =
    'SELECT max(v.sequence) AS sequence FROM visible AS v ' +
    'WHERE v.partition = {partition: UInt16}';
  const [row] = await asker.rows<{ sequence: string }>(sql, { partition });
  return BigInt(row?.sequence ?? 0);
}

export interface WaitOptions {
  readonly partition: number;
  readonly sequence: bigint;
  readonly deadlineMs: number;
  readonly clock: Clock;
}

/** True as soon as the position can be seen, false when the deadline passes before. */
export async function waitVisible(asker: Asker, options: WaitOptions): Promise<boolean> {
  const { clock, partition, sequence } = options;
  const endMs = clock.monotonicMs() + options.deadlineMs;
  while ((await askVisible(asker, partition)) < sequence) {
    if (clock.monotonicMs() >= endMs) return false;
    await clock.wait(VISIBLE_POLL_MS);
  }
  return true;
}
