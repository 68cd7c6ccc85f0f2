/**
 * The decode half alone, for tests: compiled by test/kernel/probe.ts into build/kernel, never part
 * of the kernel.
 */
import { channelProgram, channelTable, findMetric, metricOrdinal, windowTable } from '../channel';
import { DECODED_BYTES } from '../decoded';
import { POWERS_OF_FIVE } from '../number-power';
import {
  planChannelById, planDeviceAllowed, planFindChannel, planMagicOk, planStatusText,
  planStatusTextBytes, planTableColumn, planTableColumnBytes, planTableColumnCount,
} from '../plan';
import { nameHash } from '../text';

export { decodeRecord } from './decode';
export { findName } from './name';
export {
  channelProgram, channelTable, findMetric, metricOrdinal, nameHash, planChannelById,
  planDeviceAllowed, planFindChannel, planMagicOk, planStatusText, planStatusTextBytes,
  planTableColumn, planTableColumnBytes, planTableColumnCount, windowTable,
};

export function powersOfFive(): usize {
  return POWERS_OF_FIVE;
}

export function decodedBytes(): usize {
  return DECODED_BYTES;
}
