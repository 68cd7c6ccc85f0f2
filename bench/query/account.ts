/** Devices, ledger and visible of the query bench, as SQL. In: a database with samples. */
import { dateTime, endMs, type Fleet, PARTITIONS, type Rows, sequenceBelow } from './fleet.ts';

export function accountRows(database: string, fleet: Fleet): Readonly<Record<string, Rows>> {
  const samples = ['truck', 'diagnostics'].map(
    (channel) =>
      'SELECT tenant, site, device, partition, event_time, log_time ' +
      `FROM ${database}.v_${channel}`,
  );
  const newest = sequenceBelow(fleet, fleet.steps);
  const version = `bitOr(bitShiftLeft(toUInt128(2), 96), bitShiftLeft(toUInt128(${newest}), 32))`;
  const end = `toDateTime64('${dateTime(endMs(fleet))}', 3, 'UTC')`;
  const partitions = `numbers(${PARTITIONS})`;
  return {
    devices: {
      columns: {
        ...{ tenant: 'tenant', site: 'site', device: 'device', partition: 'any(partition)' },
        ...{ version, is_deleted: '0', first_seen: 'min(log_time)', last_seen: 'max(log_time)' },
        ...{ last_event_time: 'max(event_time)', records: 'count()', readings: 'count() * 5' },
      },
      from: `(${samples.join(' UNION ALL ')}) GROUP BY tenant, site, device`,
    },
    ledger: {
      columns: {
        ...{ log: "'main'", partition: 'number', block: '0', version, is_deleted: '0' },
        log_time: end,
      },
      from: partitions,
    },
    visible: {
      columns: { log: "'main'", partition: 'number', sequence: `${newest}`, is_deleted: '0' },
      from: partitions,
    },
  };
}
