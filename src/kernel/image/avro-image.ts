/**
 * The decode program of an Avro channel in the plan image (drawing: assembly/shared/
 * avro-program.ts). In: a channel whose paths the registry has checked against its schema. Out:
 * where the program begins. Types that no path touches are written once each; those on paths are
 * copied along the paths, which are finite, so a recursive schema gives a finite program.
 */
import * as A from '../../../assembly/shared/avro-program.ts';
import * as L from '../../../assembly/shared/plan-layout.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel } from '../../model/plan.ts';
import type { AvroNode, AvroType } from '../../model/plan-schema.ts';
import type { ImageWriter } from './image-writer.ts';
import { checkPath } from './plan-path.ts';

const TYPES = {
  boolean: A.AVRO_BOOLEAN,
  int: A.AVRO_INT,
  long: A.AVRO_LONG,
  float: A.AVRO_FLOAT,
  double: A.AVRO_DOUBLE,
  bytes: A.AVRO_BYTES,
  string: A.AVRO_STRING,
  fixed: A.AVRO_FIXED,
  enum: A.AVRO_ENUM,
  record: A.AVRO_RECORD,
  union: A.AVRO_UNION,
  array: A.AVRO_ARRAY,
  map: A.AVRO_MAP,
} as const satisfies Partial<Record<AvroType, number>>;

/** What the paths want below one place of the schema. */
interface Want {
  readonly actions: number[];
  readonly below: Map<string, Want>;
}
const wanted = (): Want => ({ actions: [], below: new Map() });
const NOTHING = wanted();

export function writeAvro(writer: ImageWriter, channel: PlanChannel): number {
  assert(channel.schema?.kind === 'avro', `channel ${channel.name} has an Avro schema`);
  return new AvroImage(writer, channel.schema.nodes).write(channel);
}

class AvroImage {
  readonly #writer: ImageWriter;
  readonly #nodes: readonly AvroNode[];
  readonly #isEmpty: readonly boolean[];
  /** Types as they are written without wants. */
  readonly #plain = new Map<number, number>();
  readonly #program: number;
  #samples = NOTHING;

  constructor(writer: ImageWriter, nodes: readonly AvroNode[]) {
    this.#writer = writer;
    this.#nodes = nodes;
    this.#isEmpty = emptyTypes(nodes);
    this.#program = writer.reserve(A.AVRO_PROGRAM_BYTES);
  }

  write(channel: PlanChannel): number {
    const root = wanted();
    const isOne = channel.samplesPath.length === 0;
    if (!isOne) want(root, channel, { path: channel.samplesPath, action: L.ACTION_SAMPLES });
    const sample = isOne ? root : wanted();
    this.#samples = sample;
    for (const { path, ordinal, retired } of channel.metrics) {
      if (!retired) want(sample, channel, { path, action: ordinal });
    }
    const timeFrom = channel.timeOf === 'record' ? root : sample;
    want(timeFrom, channel, { path: channel.timePath, action: L.ACTION_TIME });
    want(root, channel, { path: channel.eventIdPath, action: L.ACTION_EVENT_ID });
    this.#writer.u32(this.#program + A.AVRO_ROOT_AT, this.#node(0, root));
    this.#writer.u32(this.#program + A.AVRO_HAS_SAMPLES_AT, isOne ? 0 : 1);
    return this.#program;
  }

  /** Offset of the type with these wants, from the program's start; 0 = it takes no bytes. */
  #node(index: number, wants: Want): number {
    if (this.#isEmpty[index] === true) return 0;
    const isPlain = wants.actions.length === 0 && wants.below.size === 0;
    const written = isPlain ? this.#plain.get(index) : undefined;
    if (written !== undefined) return written;
    const { type, names, of, size } = this.#type(index);
    assert(type !== 'null', 'null takes no bytes');
    const writer = this.#writer;
    // A union hands on what is wanted of it; else wants end at leaves, and samples at an array.
    const actions = type === 'union' ? [] : wants.actions;
    const at = writer.reserve(A.AVRO_ACTIONS_AT + actions.length * 4);
    if (isPlain) this.#plain.set(index, at - this.#program);
    writer.u32(at + A.AVRO_TYPE_AT, TYPES[type]);
    actions.forEach((action, i) => {
      writer.u32(at + A.AVRO_ACTIONS_AT + i * 4, action);
    });
    writer.u32(at + A.AVRO_ACTION_COUNT_AT, actions.length);
    writer.u32(at + A.AVRO_SIZE_AT, size);
    if (type === 'enum') this.#symbols(at, names, actions.length > 0);
    const children = this.#children({ type, names, of, size }, wants);
    if (children.length > 0) {
      writer.u32(at + A.AVRO_COUNT_AT, children.length);
      writer.u32(at + A.AVRO_CHILDREN_AT, writer.numbers(children) - this.#program);
    }
    if (type === 'map' && wants.below.size > 0) this.#keys(at, of[0] ?? 0, wants.below);
    return at - this.#program;
  }

  #type(index: number): AvroNode {
    const node = this.#nodes[index];
    assert(node !== undefined, `the schema has a node ${index}`);
    return node;
  }

  #children({ type, names, of }: AvroNode, wants: Want): number[] {
    switch (type) {
      case 'record':
        for (const name of wants.below.keys()) assert(names.includes(name), `a field ${name}`);
        return of
          .map((child, i) => this.#node(child, wants.below.get(names[i] ?? '') ?? NOTHING))
          .filter((offset) => offset !== 0);
      case 'union':
        return of.map((child) => this.#node(child, wants));
      case 'array':
        assert(wants.below.size === 0, 'paths lead through an array only as samples');
        return of.map((child) =>
          this.#node(child, wants.actions.length > 0 ? this.#samples : NOTHING),
        );
      case 'map':
        return of.map((child) => this.#node(child, NOTHING));
      default:
        assert(wants.below.size === 0, `a path ends at ${type}`);
        return [];
    }
  }

  /** The table of the keys that paths lead through; its mask stands in the size. */
  #keys(at: number, values: number, below: ReadonlyMap<string, Want>): void {
    const writer = this.#writer;
    const entries = [...below].map(([name, wants], index) => {
      const key = new TextEncoder().encode(name);
      const node = this.#node(values, wants);
      const entry = writer.reserve(A.AVRO_KEY_TEXT_AT);
      writer.append(key);
      writer.u32(entry + A.AVRO_KEY_BYTES_AT, key.byteLength);
      writer.u32(entry + A.AVRO_KEY_INDEX_AT, index);
      writer.u32(entry + A.AVRO_KEY_NODE_AT, node);
      return { key, value: entry - this.#program };
    });
    const table = writer.hashTable(entries);
    writer.u32(at + A.AVRO_NAMES_AT, table.at - this.#program);
    writer.u32(at + A.AVRO_SIZE_AT, table.mask);
  }

  #symbols(at: number, symbols: readonly string[], isRead: boolean): void {
    const writer = this.#writer;
    writer.u32(at + A.AVRO_COUNT_AT, symbols.length);
    if (!isRead) return;
    const texts = symbols.map((symbol) => new TextEncoder().encode(symbol));
    const list = writer.numbers(
      texts.flatMap((text) => [writer.append(text) - this.#program, text.byteLength]),
    );
    writer.u32(at + A.AVRO_NAMES_AT, list - this.#program);
  }
}

function want(
  from: Want,
  channel: PlanChannel,
  { path, action }: { readonly path: readonly string[]; readonly action: number },
): void {
  if (path.length === 0) return;
  checkPath(path, channel.name);
  let here = from;
  for (const name of path) {
    let next = here.below.get(name);
    if (next === undefined) {
      next = wanted();
      here.below.set(name, next);
    }
    here = next;
  }
  here.actions.push(action);
}

/** Types whose every value takes no bytes: null, nothing fixed, records of nothing else. */
function emptyTypes(nodes: readonly AvroNode[]): boolean[] {
  const isEmpty = nodes.map(() => false);
  for (let changed = true; changed; ) {
    changed = false;
    nodes.forEach(({ type, of, size }, i) => {
      const now =
        type === 'null' ||
        (type === 'fixed' && size === 0) ||
        (type === 'record' && of.every((child) => isEmpty[child]));
      if (now && isEmpty[i] === false) {
        isEmpty[i] = true;
        changed = true;
      }
    });
  }
  return isEmpty;
}
