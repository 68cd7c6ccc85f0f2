/**
 * What a turn left in partition memory, as objects of the model. In: memory and control block after
 * a call, and the plan in force during it. Out: blocks (copied bytes, never looked into), facts and
 * dead letters. Layouts: assembly/shared/control.ts.
 */
import * as C from '../../assembly/shared/control.ts';
import { assert } from '../base/assert.ts';
import type { Block } from '../model/doors.ts';
import type {
  AlertFact,
  DeadLetter,
  Fact,
  MetricAggregate,
  QuantileSketch,
  ReportedValue,
  ShadowFact,
  Version,
  WindowFact,
} from '../model/fact.ts';
import type { Plan, PlanChannel, ValueKind } from '../model/plan.ts';
import type { Identity } from '../model/record.ts';
import type { KernelMemory } from './binary.ts';
import { outputTables } from './image/table-image.ts';

/** Names that outputs refer to by number, and which outputs the plan wants. */
export interface Names {
  /** Null: its rows are not stored. */
  readonly tables: readonly (string | null)[];
  readonly channels: ReadonlyMap<number, PlanChannel>;
  readonly publishShadows: boolean;
}

export function namesOf(plan: Plan): Names {
  const { tables, indexes } = outputTables(plan);
  const names: (string | null)[] = tables.map((table) => table.name);
  // A plan of an earlier version does not say it.
  for (const channel of plan.channels) {
    if (channel.storeSamples === false) names[indexes.ofChannel(channel)] = null;
  }
  return {
    tables: names,
    channels: new Map(plan.channels.map((channel) => [channel.id, channel])),
    publishShadows: plan.publishShadows !== false,
  };
}

export interface OutputOptions {
  readonly memory: KernelMemory;
  readonly names: Names;
  readonly partition: number;
  readonly generation: number;
}

export class OutputReader {
  readonly #options: OutputOptions;
  readonly #view: DataView;
  readonly #bytes: Buffer;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#view = new DataView(options.memory.buffer);
    this.#bytes = Buffer.from(options.memory.buffer);
  }

  blocks(): Block[] {
    const count = this.#u32(C.STATE_BASE + C.CONTROL_BLOCK_COUNT_AT);
    const first = this.#u32(C.STATE_BASE + C.CONTROL_BLOCKS_AT);
    const blocks: Block[] = [];
    for (let index = 0; index < count; index += 1) {
      const at = first + index * C.BLOCK_BYTES;
      const table = this.#options.names.tables[this.#u32(at)];
      assert(table !== undefined, 'a block is of a table of the plan');
      const rows = this.#u32(at + 4);
      if (table === null) continue;
      blocks.push({ table, rows, bytes: this.#copy(this.#u32(at + 8), this.#u32(at + 12)) });
    }
    return blocks;
  }

  facts(): Fact[] {
    const facts: Fact[] = [];
    let row = this.#u32(C.STATE_BASE + C.CONTROL_FACT_AT);
    for (; row !== 0; row = this.#u32(row + C.ROW_NEXT_FACT_AT)) {
      if (this.#isWanted(row)) facts.push(this.#fact(row));
    }
    return facts;
  }

  deadLetters(): DeadLetter[] {
    const letters: DeadLetter[] = [];
    let row = this.#u32(C.STATE_BASE + C.CONTROL_LETTER_AT);
    for (; row !== 0; row = this.#u32(row + C.ROW_NEXT_AT)) letters.push(this.#letter(row));
    return letters;
  }

  #isWanted(row: number): boolean {
    const kind = this.#u32(row + C.ROW_KIND_AT);
    if (kind === C.ROW_ALERT) return true;
    if (kind !== C.ROW_WINDOW) return this.#options.names.publishShadows;
    const channel = this.#channel(this.#u32(row + C.WINDOW_ROW_CHANNEL_AT));
    // A plan of an earlier version does not say it.
    return channel.windows[this.#u32(row + C.WINDOW_ROW_WINDOW_AT)]!.facts !== false;
  }

  #fact(row: number): Fact {
    const kind = this.#u32(row + C.ROW_KIND_AT);
    if (kind === C.ROW_ALERT) return this.#alert(row);
    return kind === C.ROW_WINDOW ? this.#window(row) : this.#shadow(row);
  }

  #window(row: number): WindowFact {
    const channel = this.#channel(this.#u32(row + C.WINDOW_ROW_CHANNEL_AT));
    const count = this.#u32(row + C.WINDOW_ROW_METRIC_COUNT_AT);
    const metrics = Array.from({ length: count }, (_, index) =>
      this.#aggregate(row, index, channel),
    );
    const sequence = this.#u64(row + C.WINDOW_ROW_SEQUENCE_AT);
    const windowStartMs = this.#i64(row + C.WINDOW_ROW_START_AT);
    const windowEndMs = this.#i64(row + C.WINDOW_ROW_END_AT);
    return {
      kind: 'window',
      identity: this.#identity(row + this.#u32(row + C.WINDOW_ROW_IDENTITY_AT)),
      channel: channel.name,
      window: channel.windows[this.#u32(row + C.WINDOW_ROW_WINDOW_AT)]!.name,
      windowStartMs,
      windowEndMs,
      windowMs: windowEndMs - windowStartMs,
      deleted: (this.#u32(row + C.WINDOW_ROW_FLAGS_AT) & C.WINDOW_ROW_DELETED) !== 0,
      fragment: this.#u64(row + C.WINDOW_ROW_FRAGMENT_AT),
      revision: this.#u32(row + C.WINDOW_ROW_REVISION_AT),
      version: this.#version(sequence, this.#u32(row + C.WINDOW_ROW_ORDINAL_AT)),
      partition: this.#options.partition,
      watermarkMs: this.#i64(row + C.WINDOW_ROW_WATERMARK_AT),
      logTimeMs: this.#i64(row + C.WINDOW_ROW_LOG_TIME_AT),
      metrics,
    };
  }

  #aggregate(row: number, index: number, channel: PlanChannel): MetricAggregate {
    const at = row + C.WINDOW_ROW_METRICS_AT + index * C.WINDOW_METRIC_BYTES;
    const { name, unit } = channel.metrics[this.#u32(at)]!;
    const number = (place: number) => this.#view.getFloat64(at + place, true);
    return {
      metric: name,
      unit,
      count: this.#i64(at + 8),
      sum: number(16),
      min: number(24),
      max: number(32),
      first: number(40),
      firstTimeMs: this.#i64(at + 48),
      firstSequence: this.#u64(at + 56),
      last: number(64),
      lastTimeMs: this.#i64(at + 72),
      lastSequence: this.#u64(at + 80),
      mean: number(88),
      m2: number(96),
      score: number(104),
      integral: number(112),
      sketch: this.#sketch(row, at + C.WINDOW_METRIC_BINS_AT),
    };
  }

  #sketch(row: number, at: number): QuantileSketch | null {
    const [first, count] = [row + this.#u32(at), this.#u32(at + 4)];
    if (count === 0) return null;
    const places = Array.from({ length: count }, (_, index) => first + index * 4);
    return {
      keys: places.map((place) => this.#view.getInt32(place, true)),
      counts: places.map((place) => this.#u32(place + count * 4)),
    };
  }

  #shadow(row: number): ShadowFact {
    const count = this.#u32(row + C.DEVICE_ROW_REPORTED_COUNT_AT);
    const sequence = this.#u64(row + C.DEVICE_ROW_SEQUENCE_AT);
    return {
      kind: 'shadow',
      identity: this.#identity(row + this.#u32(row + C.DEVICE_ROW_IDENTITY_AT)),
      version: this.#version(sequence, this.#u32(row + C.DEVICE_ROW_ORDINAL_AT)),
      partition: this.#options.partition,
      logTimeMs: this.#i64(row + C.DEVICE_ROW_LOG_TIME_AT),
      reported: Array.from({ length: count }, (_, index) =>
        this.#reported(row + C.DEVICE_ROW_REPORTED_AT + index * C.REPORTED_BYTES),
      ),
    };
  }

  #reported(at: number): ReportedValue {
    const channel = this.#channel(this.#u32(at));
    const { name, unit, kind } = channel.metrics[this.#u32(at + 4)]!;
    return {
      channel: channel.name,
      metric: name,
      unit,
      value: this.#value(at + 8, kind),
      eventTimeMs: this.#i64(at + 16),
    };
  }

  #value(at: number, kind: ValueKind): number | bigint | boolean | string {
    if (kind === 'integer') return this.#view.getBigInt64(at, true);
    if (kind === 'boolean') return this.#u32(at) !== 0;
    if (kind === 'number') return this.#view.getFloat64(at, true);
    const textAt = this.#u32(at);
    return this.#bytes.toString('utf8', textAt, textAt + this.#u32(at + 4));
  }

  #alert(row: number): AlertFact {
    const channel = this.#channel(this.#u32(row + C.ALERT_ROW_CHANNEL_AT));
    const alert = channel.alerts[this.#u32(row + C.ALERT_ROW_ALERT_AT)]!;
    const { name: metric, unit } = channel.metrics[alert.metric]!;
    const active = this.#u32(row + C.ALERT_ROW_ACTIVE_AT) !== 0;
    const sequence = this.#u64(row + C.ALERT_ROW_SEQUENCE_AT);
    return {
      kind: 'alert',
      identity: this.#identity(row + this.#u32(row + C.ALERT_ROW_IDENTITY_AT)),
      channel: channel.name,
      rule: alert.name,
      severity: alert.severity,
      metric,
      unit,
      active,
      raisedAtMs: this.#i64(row + C.ALERT_ROW_RAISED_AT),
      raisedSequence: this.#u64(row + C.ALERT_ROW_RAISED_SEQUENCE_AT),
      raisedOrdinal: this.#u32(row + C.ALERT_ROW_RAISED_ORDINAL_AT),
      sinceMs: this.#i64(row + C.ALERT_ROW_SINCE_AT),
      value: this.#view.getFloat64(row + C.ALERT_ROW_VALUE_AT, true),
      peak: this.#view.getFloat64(row + C.ALERT_ROW_PEAK_AT, true),
      clearedAtMs: active ? null : this.#i64(row + C.ALERT_ROW_CLEARED_AT),
      clearedValue: active ? null : this.#view.getFloat64(row + C.ALERT_ROW_CLEARED_VALUE_AT, true),
      version: this.#version(sequence, this.#u32(row + C.ALERT_ROW_ORDINAL_AT)),
      partition: this.#options.partition,
      logTimeMs: this.#i64(row + C.ALERT_ROW_LOG_TIME_AT),
    };
  }

  #letter(row: number): DeadLetter {
    const texts: string[] = [];
    let at = row + C.LETTER_ROW_TEXTS_AT;
    for (let index = 0; index < 6; index += 1) {
      texts.push(this.#text(at));
      at += 1 + this.#view.getUint8(at);
    }
    const [tenant, site, device, channel, reason, metric] = texts as [
      ...[string, string, string],
      ...[string, string, string],
    ];
    const sampleAt = row + this.#u32(row + C.LETTER_ROW_SAMPLE_AT);
    return {
      identity: tenant === '' ? null : { tenant, site, device },
      channel,
      reason,
      partition: this.#options.partition,
      sequence: this.#u64(row + C.LETTER_ROW_SEQUENCE_AT),
      index: this.#u32(row + C.LETTER_ROW_INDEX_AT),
      offset: this.#u32(row + C.LETTER_ROW_OFFSET_AT),
      metric,
      receivedAtMs: this.#i64(row + C.LETTER_ROW_RECEIVED_AT),
      logTimeMs: this.#i64(row + C.LETTER_ROW_LOG_TIME_AT),
      payloadBytes: this.#u32(row + C.LETTER_ROW_PAYLOAD_BYTES_AT),
      sample: this.#copy(sampleAt, this.#u32(row + C.LETTER_ROW_SAMPLE_BYTES_AT)),
    };
  }

  #identity(at: number): Identity {
    const siteAt = at + 1 + this.#view.getUint8(at);
    const deviceAt = siteAt + 1 + this.#view.getUint8(siteAt);
    return { tenant: this.#text(at), site: this.#text(siteAt), device: this.#text(deviceAt) };
  }

  #version(sequence: bigint, ordinal: number): Version {
    return { generation: this.#options.generation, sequence, ordinal };
  }

  #channel(id: number): PlanChannel {
    const channel = this.#options.names.channels.get(id);
    assert(channel !== undefined, `channel ${id} is in the plan`);
    return channel;
  }

  /** A string of ASCII with its length in front. */
  #text(at: number): string {
    return this.#bytes.toString('latin1', at + 1, at + 1 + this.#view.getUint8(at));
  }

  #copy(at: number, bytes: number): Uint8Array {
    return new Uint8Array(this.#options.memory.buffer, at, bytes).slice();
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, true);
  }

  #u64(at: number): bigint {
    return this.#view.getBigUint64(at, true);
  }

  /** Times and counts are far below 2⁵³. */
  #i64(at: number): number {
    return Number(this.#view.getBigInt64(at, true));
  }
}
