/**
 * The output tables of a plan and their Native column headers in the plan image, so that the
 * kernel never spells a column's name or type. Indexes: TABLE_LEDGER, TABLE_DEAD_LETTERS,
 * TABLE_DEVICES, TABLE_QUALITY, TABLE_ALERTS, then
 * agg_<window> per distinct window name, then ch_<channel> per channel, in the
 * order of the plan.
 */
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { Plan, PlanChannel, PlanWindow } from '../../model/plan.ts';
import type { Column, Table } from '../../model/table.ts';
import {
  ALERTS,
  aggregateTable,
  channelTable,
  DEAD_LETTERS,
  DEVICES,
  LEDGER,
  QUALITY,
} from '../../model/table.ts';
import type { ImageWriter } from './image-writer.ts';

export interface TableIndexes {
  ofWindow(window: PlanWindow): number;
  ofChannel(channel: PlanChannel): number;
}

/** The tables by the index under which the kernel names them. */
export function outputTables(plan: Plan): { tables: readonly Table[]; indexes: TableIndexes } {
  const windows = plan.channels.flatMap((channel) => channel.windows.map((window) => window.name));
  const windowNames = [...new Set(windows)];
  const firstChannel = L.TABLE_FIRST_OTHER + windowNames.length;
  return {
    tables: [
      LEDGER,
      DEAD_LETTERS,
      DEVICES,
      QUALITY,
      ALERTS,
      ...windowNames.map(aggregateTable),
      ...plan.channels.map(channelTable),
    ],
    indexes: {
      ofWindow: (window) => L.TABLE_FIRST_OTHER + windowNames.indexOf(window.name),
      ofChannel: (channel) => firstChannel + plan.channels.indexOf(channel),
    },
  };
}

export function writeTables(writer: ImageWriter, tables: readonly Table[]): number {
  assert(tables[L.TABLE_LEDGER] === LEDGER, 'the ledger has its fixed index');
  assert(tables[L.TABLE_DEAD_LETTERS] === DEAD_LETTERS, 'dead letters have their fixed index');
  assert(tables[L.TABLE_DEVICES] === DEVICES, 'devices have their fixed index');
  assert(tables[L.TABLE_QUALITY] === QUALITY, 'quality has its fixed index');
  assert(tables[L.TABLE_ALERTS] === ALERTS, 'alerts have their fixed index');
  const list = writer.reserve(tables.length * L.TABLE_BYTES);
  tables.forEach((table, i) => {
    const at = list + i * L.TABLE_BYTES;
    const name = writer.name(table.name);
    const columns = writer.reserve(table.columns.length * 8);
    writer.u32(at + L.TABLE_NAME_AT, name.at);
    writer.u32(at + L.TABLE_NAME_BYTES_AT, name.bytes);
    writer.u32(at + L.TABLE_COLUMN_COUNT_AT, table.columns.length);
    writer.u32(at + L.TABLE_COLUMNS_AT, columns);
    table.columns.forEach((column, j) => {
      const header = nativeHeader(column);
      writer.u32(columns + j * 8, writer.append(header));
      writer.u32(columns + j * 8 + 4, header.byteLength);
    });
  });
  return list;
}

/** What stands before a column's values in a Native block. */
export function nativeHeader(column: Column): Uint8Array {
  return Buffer.concat([text(column.name), text(column.wire ?? column.type)]);
}

function text(value: string): Uint8Array {
  const bytes = Buffer.from(value);
  assert(bytes.byteLength < 128, `a name or type of one length byte: ${value}`);
  return Buffer.concat([Uint8Array.of(bytes.byteLength), bytes]);
}
