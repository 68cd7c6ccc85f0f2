/**
 * What a plan costs in partition memory. In: a plan and the memory of a partition. Out: bytes per
 * device and how many devices fit. The sizes are those of the kernel's records, in one place
 * (KERNEL_LAYOUT); test/unit/registry/price.test.ts compares them with assembly/, test/kernel with
 * a fleet.
 *
 *   device  = block(identity + boots + quality + ids or contents + Σ channels)
 *   channel = section + windows · state + alerts · state + metrics · series + Σ windows: cells
 *   series  = latest + score + seasons
 *   cells   = number · (cell + metrics · (accumulator + sketch)), or one and a young one
 *
 * Texts belong to the partition, not to a device.
 */
import type { Plan, PlanChannel, PlanWindow } from '../model/plan.ts';

/** Bytes, as laid out in assembly/{memory,device,boot,ring,series,pool,judge/quality}.ts. */
export const KERNEL_LAYOUT = {
  /** Tables of the decoders, regions for turns, rows and exports: VARIABLE_AT of memory.ts. */
  fixedBytes: 0x40000 + (64 + 768 + 2048 + 6144 + 9216 + 576 + 192) * 1024,
  /** One slot is laid out per so much memory. */
  bytesPerSlot: 1024,
  /** Slot 16, timer 12, calm 4. Marks are four bits, left out. */
  slotBytes: 32,
  /** Index entries are a power of two, at least 4/3 of the slots. */
  indexBytes: 8,
  deviceBytes: 168,
  /** Three ids of about ten characters, a length byte each. */
  identityBytes: 40,
  bootBytes: 40,
  intervalBytes: 16,
  idBytes: 21,
  sectionBytes: 56,
  windowStateBytes: 32,
  latestBytes: 16,
  /** More where some metric is judged for being stuck. */
  sinceBytes: 8,
  cellBytes: 32,
  accumulatorBytes: 88,
  /** A young cell lists so many samples, each with its place, values and scores. */
  listSamples: 2,
  entryBytes: 16,
  valueBytes: 8,
  /** In an entry, and in a cell of a channel with scores. */
  cellScoreBytes: 4,
  /** Beside an accumulator of a count window. */
  spanBytes: 16,
  /** Running mean and variance of a series. */
  scoreBytes: 24,
  /** The same for each hour of the week. */
  seasonsBytes: 168 * 12,
  alertBytes: 48,
  /** Twelve counters and their minute. */
  qualityBytes: 104,
  /** A digest and its log time. */
  contentBytes: 24,
  /** A bin of a quantile sketch: key and count. */
  binBytes: 8,
  /** Of a sketch without bins. */
  sketchBytes: 2,
  /** A text of the dictionary: its place, its length and its bytes. */
  textBytes: 16,
  poolTagBytes: 8,
} as const;

/** Of a healthy device: one boot whose sequence has no more than two gaps. */
const INTERVALS_USUAL = 2;
/** Bytes of an event id when nothing else is known: a UUID as text, rounded to 8. */
const EVENT_ID_BYTES_USUAL = 40;
/** The open window, and between its end and the next flush point the fired one. */
const CELLS_USUAL = 1.5;
/** Cells of more metrics never list their samples. */
const LISTED_METRICS_MAX = 32;
/** Values of a window within two powers of two, half of the bins between them. */
const BINS_USUAL = 64;
/** Bytes of a text value: a word or two. */
const TEXT_BYTES_USUAL = 24;
/** With fewer the configuration is a mistake, not a small installation. */
export const DEVICES_FIT_MIN = 64;

export interface ChannelPrice {
  readonly name: string;
  readonly metrics: number;
  /** All of it, what follows included. */
  readonly bytes: number;
  /** Of scores and of the baseline of each hour of the week. */
  readonly scoreBytes: number;
  readonly alertBytes: number;
  /** Of quantile sketches, as far as they usually fill. */
  readonly sketchBytes: number;
}

export interface PlanPrice {
  /** A device that sends on every channel and proves its events by (boot, sequence). */
  readonly bytesPerDevice: number;
  /** What a device with nothing but an identity and one boot takes. */
  readonly baseBytes: number;
  readonly channels: readonly ChannelPrice[];
  /** More when it proves its events by ids and `idsPerDevice` of them are remembered. */
  readonly eventIdBytes: number;
  /** More when its events are known by their content; 0 when no channel does that. */
  readonly contentBytes: number;
  /** Part of `baseBytes`. */
  readonly qualityBytes: number;
  /** Of a partition with all the distinct texts that it may hold; 0 without text metrics. */
  readonly textBytes: number;
  /** Devices that fit into a partition, the dearest kind and the cheapest proof. */
  readonly devicesPerPartition: number;
  /** The same when every device also has a full set of event ids. */
  readonly devicesPerPartitionWithIds: number;
  readonly partitions: number;
}

export function pricePlan(plan: Plan, memoryBytes: number): PlanPrice {
  const layout = KERNEL_LAYOUT;
  const declared = plan.channels.filter((channel) => !channel.retired);
  const channels = declared.map(channelPrice);
  const qualityBytes = plan.quality ? layout.qualityBytes : 0;
  const baseBytes =
    layout.deviceBytes +
    layout.identityBytes +
    layout.bootBytes +
    INTERVALS_USUAL * layout.intervalBytes +
    qualityBytes;
  const content = channels.reduce((sum, channel) => sum + channel.bytes, baseBytes);
  const idBytes = layout.idBytes + EVENT_ID_BYTES_USUAL;
  const eventIdBytes = plan.idsPerDevice * idBytes;
  const byContent = declared.some((channel) => channel.contentDedup);
  const textBytes = textsOf(plan, declared);
  const poolBytes = memoryBytes - outsideBytes(memoryBytes) - textBytes;
  const slots = slotsOf(memoryBytes);
  const fit = (bytes: number) =>
    Math.max(0, Math.min(slots, Math.floor(poolBytes / blockBytes(bytes))));
  return {
    bytesPerDevice: blockBytes(content),
    baseBytes: blockBytes(baseBytes),
    channels,
    eventIdBytes,
    contentBytes: byContent ? plan.contentsPerDevice * layout.contentBytes : 0,
    qualityBytes,
    textBytes,
    devicesPerPartition: Math.min(plan.devicesMax, fit(content)),
    devicesPerPartitionWithIds: Math.min(plan.devicesMax, fit(content + eventIdBytes)),
    partitions: plan.partitions,
  };
}

function channelPrice(channel: PlanChannel): ChannelPrice {
  const layout = KERNEL_LAYOUT;
  const { name, windows, score } = channel;
  const metrics = channel.metrics.length;
  const seasons = score === 'seasonal' ? layout.seasonsBytes : 0;
  const scoreBytes = score === 'none' ? 0 : metrics * (layout.scoreBytes + seasons);
  const stands = channel.metrics.some(({ stuckMs }) => stuckMs !== null);
  const since = stands ? layout.sinceBytes : 0;
  const alertBytes = channel.alerts.length * layout.alertBytes;
  const sketch = metrics * (layout.sketchBytes + BINS_USUAL * layout.binBytes);
  const sum = (bytes: (window: PlanWindow) => number) =>
    windows.reduce((total, window) => total + bytes(window), 0);
  const sketchBytes = sum((window) => (window.sketch ? cellsUsual(window) * sketch : 0));
  const bytes =
    layout.sectionBytes +
    sum((window) => layout.windowStateBytes + cellsBytes(channel, window)) +
    metrics * (layout.latestBytes + since) +
    scoreBytes +
    alertBytes +
    sketchBytes;
  return { name, metrics, bytes, scoreBytes, alertBytes, sketchBytes };
}

/** A tumbling window's open cell, and the young one that begins before the open one is evicted. */
function cellsBytes({ metrics: { length: metrics }, score }: PlanChannel, window: PlanWindow) {
  const layout = KERNEL_LAYOUT;
  const scores = score === 'none' ? 0 : Math.ceil((metrics * layout.cellScoreBytes) / 8) * 8;
  const cell = cellBytes(window, metrics) + scores;
  const entry = layout.entryBytes + metrics * layout.valueBytes + scores;
  const young = layout.cellBytes + layout.listSamples * entry;
  const isListed = window.kind === 'tumbling' && !window.sketch;
  if (!isListed || metrics > LISTED_METRICS_MAX || young >= cell) return cellsUsual(window) * cell;
  return cell + young;
}

function cellBytes({ kind }: PlanWindow, metrics: number): number {
  const { accumulatorBytes, spanBytes } = KERNEL_LAYOUT;
  const each = accumulatorBytes + (kind === 'count' ? spanBytes : 0);
  return KERNEL_LAYOUT.cellBytes + metrics * each;
}

/** Windows that overlap share panes: what they hold together, and one that fills. */
function cellsUsual({ kind, lengthMs, everyMs, count, everyCount }: PlanWindow): number {
  if (kind === 'hopping') return lengthMs / everyMs + 1;
  return kind === 'count' ? count / everyCount : CELLS_USUAL;
}

function textsOf({ textsMax }: Plan, declared: readonly PlanChannel[]): number {
  const metrics = declared.flatMap((channel) => channel.metrics);
  if (!metrics.some((metric) => metric.kind === 'text' && !metric.retired)) return 0;
  return textsMax * (KERNEL_LAYOUT.textBytes + TEXT_BYTES_USUAL);
}

/** Where blocks are small, devices end with these. */
function slotsOf(memoryBytes: number): number {
  const { fixedBytes, bytesPerSlot } = KERNEL_LAYOUT;
  return Math.max(0, Math.floor((memoryBytes - fixedBytes) / bytesPerSlot));
}

/** What does not depend on devices: as `layOut` of memory.ts does it, rounded up to a page. */
function outsideBytes(memoryBytes: number): number {
  const layout = KERNEL_LAYOUT;
  const slots = slotsOf(memoryBytes);
  const index = 2 ** Math.ceil(Math.log2(Math.max(1024, (slots * 4) / 3)));
  const marks = (4 * slots) / 8;
  return layout.fixedBytes + slots * layout.slotBytes + index * layout.indexBytes + marks + 4096;
}

/** A block has room for one interval more, in steps of 16, behind a tag. */
function blockBytes(content: number): number {
  const room = (content + 31) & ~15;
  return room + KERNEL_LAYOUT.poolTagBytes;
}
