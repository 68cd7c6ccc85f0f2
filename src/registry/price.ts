/**
 * What a plan costs in partition memory. In: a plan and the memory of a partition. Out: bytes per
 * device and how many devices fit. The sizes are those of the kernel's records, in one place
 * (KERNEL_LAYOUT); test/unit/registry/price.test.ts compares them with assembly/, test/kernel with
 * a fleet.
 *
 *   device  = block(identity + boots + ids + Σ channels)
 *   channel = section + windows · state + metrics · latest + Σ windows: cells
 *   cells   = number · (cell + metrics · accumulator)
 */
import type { Plan, PlanChannel } from '../model/plan.ts';

/** Bytes, as laid out in assembly/{memory,device,boot,ring,series,pool}.ts. */
export const KERNEL_LAYOUT = {
  /** Tables of the decoders, regions for turns, rows and exports: VARIABLE_AT of memory.ts. */
  fixedBytes: 0x40000 + (64 + 768 + 2048 + 6144 + 9216 + 576 + 128) * 1024,
  /** One slot is laid out per so much memory. */
  bytesPerSlot: 768,
  /** Slot 16, timer 16. Marks are three bits, left out. */
  slotBytes: 32,
  /** Index entries are a power of two, at least 5/3 of the slots. */
  indexBytes: 8,
  deviceBytes: 152,
  /** Three ids of about ten characters, a length byte each. */
  identityBytes: 40,
  bootBytes: 40,
  intervalBytes: 16,
  idBytes: 21,
  sectionBytes: 72,
  windowStateBytes: 32,
  latestBytes: 24,
  cellBytes: 32,
  accumulatorBytes: 96,
  poolTagBytes: 8,
} as const;

/** Of a healthy device: one boot whose sequence has no more than two gaps. */
const INTERVALS_USUAL = 2;
/** Bytes of an event id when nothing else is known: a UUID as text, rounded to 8. */
const EVENT_ID_BYTES_USUAL = 40;
/** A full ring of ids doubles with old and new side by side, and a block does not shrink. */
const RING_GROWTH = 1.5;
/** The open window, and the last fired one that waits for revisions. */
const CELLS_USUAL = 2;
/** With fewer the configuration is a mistake, not a small installation. */
export const DEVICES_FIT_MIN = 64;

export interface ChannelPrice {
  readonly name: string;
  readonly metrics: number;
  readonly bytes: number;
}

export interface PlanPrice {
  /** A device that sends on every channel and proves its events by (boot, sequence). */
  readonly bytesPerDevice: number;
  /** What a device with nothing but an identity and one boot takes. */
  readonly baseBytes: number;
  readonly channels: readonly ChannelPrice[];
  /** More when it proves its events by ids and `idsPerDevice` of them are remembered. */
  readonly eventIdBytes: number;
  /** Devices that fit into a partition, the dearest kind and the cheapest proof. */
  readonly devicesPerPartition: number;
  /** The same when every device also has a full set of event ids. */
  readonly devicesPerPartitionWithIds: number;
  readonly partitions: number;
}

export function pricePlan(plan: Plan, memoryBytes: number): PlanPrice {
  const layout = KERNEL_LAYOUT;
  const channels = plan.channels
    .filter((channel) => !channel.retired)
    .map((channel) => ({
      name: channel.name,
      metrics: channel.metrics.length,
      bytes: channelBytes(channel),
    }));
  const baseBytes =
    layout.deviceBytes +
    layout.identityBytes +
    layout.bootBytes +
    INTERVALS_USUAL * layout.intervalBytes;
  const content = channels.reduce((sum, channel) => sum + channel.bytes, baseBytes);
  const idBytes = layout.idBytes + EVENT_ID_BYTES_USUAL;
  const eventIdBytes = Math.ceil(plan.idsPerDevice * idBytes * RING_GROWTH);
  const poolBytes = memoryBytes - outsideBytes(memoryBytes);
  const fit = (bytes: number) => Math.max(0, Math.floor(poolBytes / blockBytes(bytes)));
  return {
    bytesPerDevice: blockBytes(content),
    baseBytes: blockBytes(baseBytes),
    channels,
    eventIdBytes,
    devicesPerPartition: Math.min(plan.devicesMax, fit(content)),
    devicesPerPartitionWithIds: Math.min(plan.devicesMax, fit(content + eventIdBytes)),
    partitions: plan.partitions,
  };
}

function channelBytes({ metrics, windows }: PlanChannel): number {
  const layout = KERNEL_LAYOUT;
  const cell = layout.cellBytes + metrics.length * layout.accumulatorBytes;
  return (
    layout.sectionBytes +
    windows.length * (layout.windowStateBytes + CELLS_USUAL * cell) +
    metrics.length * layout.latestBytes
  );
}

/** What does not depend on devices: as `layOut` of memory.ts does it, rounded up to a page. */
function outsideBytes(memoryBytes: number): number {
  const layout = KERNEL_LAYOUT;
  const slots = Math.max(0, Math.floor((memoryBytes - layout.fixedBytes) / layout.bytesPerSlot));
  const index = 2 ** Math.ceil(Math.log2(Math.max(1024, (slots * 5) / 3)));
  const marks = (3 * slots) / 8;
  return layout.fixedBytes + slots * layout.slotBytes + index * layout.indexBytes + marks + 4096;
}

/** A block has an eighth to grow, in steps of 64, behind a tag. */
function blockBytes(content: number): number {
  const room = (content + Math.floor(content / 8) + 127) & ~63;
  return room + KERNEL_LAYOUT.poolTagBytes;
}
