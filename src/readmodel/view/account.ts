/**
 * Views of accounts: `v_ledger` (do the books balance?), `v_dead_letters` (what was rejected and
 * why) and `v_devices`. In: where tables live. Out: SELECTs. They need no plan.
 */
import { LEDGER_BLOCK_SEQUENCES } from '../../model/limit.ts';
import { qualified } from '../sql.ts';
import { ALIVE, uncut, VERSION_COLUMNS, type View, type ViewContext } from './context.ts';

/** Terminal states of a record: each record that came in ends in exactly one. */
const RECORD_STATES = [
  'stored',
  'partly',
  'duplicate',
  'dedup_unknown',
  'too_late',
  'rejected',
  'filtered',
  'skipped',
];

const LEDGER_COLUMNS = [
  '`log`',
  '`partition`',
  '`block`',
  `\`block\` * ${LEDGER_BLOCK_SEQUENCES} AS \`first_sequence\``,
  `\`block\` * ${LEDGER_BLOCK_SEQUENCES} + ${LEDGER_BLOCK_SEQUENCES - 1} AS \`last_sequence\``,
  '`messages`',
  '`gap_messages`',
  '`records_in`',
  ...RECORD_STATES.map((state) => `\`${state}\``),
  `${RECORD_STATES.map((state) => `\`${state}\``).join(' + ')} AS \`records_out\``,
  'toBool(`records_in` = `records_out`) AS `balanced`',
  '`readings_decoded`',
  '`readings_stored`',
  'arraySum(`readings`) AS `readings_rejected`',
  'toBool(`readings_decoded` = `readings_stored` + `readings_rejected`) AS `readings_balanced`',
  '`samples_stored`',
  '`reason`',
  '`records`',
  '`readings`',
  'mapFromArrays(`reason`, `records`) AS `records_by_reason`',
  'mapFromArrays(`reason`, `readings`) AS `readings_by_reason`',
  `${VERSION_COLUMNS.generation} AS \`generation\``,
  '`log_time`',
];

export function ledgerView(context: ViewContext): View {
  const columns = {
    generation: VERSION_COLUMNS.generation,
    sequence: `(\`block\` * ${LEDGER_BLOCK_SEQUENCES})`,
  };
  return {
    name: 'v_ledger',
    select: [
      `SELECT\n  ${LEDGER_COLUMNS.join(',\n  ')}`,
      `FROM ${qualified(context.database, 'ledger')} FINAL`,
      `WHERE ${uncut(context, columns)}`,
    ].join('\n'),
  };
}

const DEAD_LETTER_COLUMNS = [
  'log',
  'partition',
  'sequence',
  'index',
  'tenant',
  'site',
  'device',
  'channel',
  'reason',
  'metric',
  'offset',
  'received_at',
  'log_time',
  'payload_bytes',
  'sample',
  'plan_hash',
].map((name) => `\`${name}\``);

export function deadLettersView(context: ViewContext): View {
  return {
    name: 'v_dead_letters',
    select: [
      `SELECT\n  ${DEAD_LETTER_COLUMNS.join(',\n  ')},\n  \`version\` AS \`generation\``,
      `FROM ${qualified(context.database, 'dead_letters')} FINAL`,
      `WHERE ${ALIVE} AND ${uncut(context, { generation: '`version`', sequence: '`sequence`' })}`,
    ].join('\n'),
  };
}

const DEVICE_COLUMNS = [
  'tenant',
  'site',
  'device',
  'partition',
  'first_seen',
  'last_seen',
  'last_event_time',
  'records',
  'readings',
  'rejected',
  'duplicates',
  'clock_offset_ms',
  'clock_drift_ppm',
].map((name) => `\`${name}\``);

/**
 * A device stays known when the log lost its tail: its row is written again with its next shadow.
 */
export function devicesView(context: ViewContext): View {
  return {
    name: 'v_devices',
    select: [
      `SELECT\n  ${DEVICE_COLUMNS.join(',\n  ')}`,
      `FROM ${qualified(context.database, 'devices')} FINAL`,
    ].join('\n'),
  };
}
