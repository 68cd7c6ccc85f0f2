/**
 * The decode program of Sparkplug and SenML channels: a table from the names on the wire to the
 * metrics in use (layout: plan-layout.ts, read by assembly/decode/name.ts). In: the metrics with
 * their paths. Out: the offset of the program. The key is the path joined by a byte 0, which no
 * name contains: [name] for a SenML name or a node's metric, [device, name] for a device's.
 */
import * as L from '../../../assembly/shared/plan-layout.ts';
import type { PlanMetric } from '../../model/plan.ts';
import { type ImageWriter, slotMask } from './image-writer.ts';
import { checkPath } from './plan-path.ts';

export function writeNames(
  writer: ImageWriter,
  metrics: readonly PlanMetric[],
  channel: string,
): number {
  const inUse = metrics.filter(({ retired }) => !retired);
  const mask = slotMask(inUse.length);
  const program = writer.reserve(L.NAMES_SLOTS_AT + (mask + 1) * L.SLOT_BYTES);
  writer.u32(program + L.NAMES_MASK_AT, mask);
  const slots = { at: program + L.NAMES_SLOTS_AT, mask };
  for (const { ordinal, path } of inUse) {
    checkPath(path, channel);
    const key = new TextEncoder().encode(path.join('\0'));
    const entry = writer.reserve(L.NAME_KEY_AT);
    writer.u32(entry + L.NAME_ORDINAL_AT, ordinal);
    writer.u32(entry + L.NAME_KEY_BYTES_AT, key.byteLength);
    writer.append(key);
    writer.addSlot(slots, key, entry - program);
  }
  return program;
}
