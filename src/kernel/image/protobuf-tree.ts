/**
 * The declared paths of a protobuf-message channel as a tree of messages. In: a channel whose
 * schema the registry has compiled for exactly these paths. Out: the tree, with leaves and counters
 * numbered in the order of a walk, so that those below a place are consecutive.
 */
import { ELEMENTS_MAX } from '../../../assembly/shared/abi.ts';
import * as L from '../../../assembly/shared/plan-layout.ts';
import { LEAVES_MAX } from '../../../assembly/shared/protobuf-program.ts';
import { assert } from '../../base/assert.ts';
import type { PlanChannel } from '../../model/plan.ts';
import type { ProtobufField, ProtobufSchema, ProtobufType } from '../../model/plan-schema.ts';
import { checkPath } from './plan-path.ts';

/** Leaves and counters from the first to before the last. */
export interface Span {
  leaf: number;
  leafEnd: number;
  counter: number;
  counterEnd: number;
  /** The samples lie below. */
  samples: boolean;
}

/** A value of a field, of a map's entry or of an element; one of the four leads on. */
export interface Place {
  readonly type: ProtobufType;
  /** Index of message or enumeration. */
  readonly of: number;
  readonly span: Span;
  /** Ordinals, ACTION_TIME, ACTION_EVENT_ID. */
  readonly actions: number[];
  message: Message | null;
  map: { readonly keyType: ProtobufType; readonly values: Map<string, Place> } | null;
  elements: Map<number, Place> | null;
  samples: Message | null;
}

export interface Message {
  readonly fields: Map<number, { readonly field: ProtobufField; readonly place: Place }>;
}

export interface Tree {
  readonly root: Message;
  readonly hasSamples: boolean;
  readonly leaves: readonly Place[];
  readonly counterCount: number;
}

interface Walk {
  readonly schema: ProtobufSchema;
  readonly path: readonly string[];
  readonly at: number;
}

export function protobufTree(channel: PlanChannel): Tree {
  const schema = channel.schema;
  assert(schema?.kind === 'protobuf', `channel ${channel.name} has a Protobuf schema`);
  const root: Message = { fields: new Map() };
  const hasSamples = channel.samplesPath.length > 0;
  const add = (path: readonly string[], inSample: boolean, action: number): void => {
    checkPath(path, channel.name);
    const whole = inSample ? [...channel.samplesPath, ...path] : path;
    const samplesAt = inSample && hasSamples ? channel.samplesPath.length : -1;
    descend(root, { schema, path: whole, at: 0 }, { of: 0, samplesAt }).actions.push(action);
  };
  if (channel.timePath.length > 0) {
    add(channel.timePath, channel.timeOf === 'sample', L.ACTION_TIME);
  }
  if (channel.eventIdPath.length > 0) add(channel.eventIdPath, false, L.ACTION_EVENT_ID);
  for (const { retired, path, ordinal } of channel.metrics) if (!retired) add(path, true, ordinal);
  addSiblings(root, schema, 0);
  const numbers = { leaves: [] as Place[], counterCount: 0 };
  numberMessage(root, numbers);
  assert(numbers.leaves.length <= LEAVES_MAX, 'a leaf per metric, the time and the event id');
  return { root, hasSamples, ...numbers };
}

function emptyPlace(type: ProtobufType, of: number): Place {
  const span = { leaf: 0, leafEnd: 0, counter: 0, counterEnd: 0, samples: false };
  return { type, of, span, actions: [], message: null, map: null, elements: null, samples: null };
}

/** Walks from a message of the schema down to the place where the path ends. */
function descend(
  message: Message,
  walk: Walk,
  from: { readonly of: number; readonly samplesAt: number },
): Place {
  const { schema, path, at } = walk;
  const name = path[at];
  const field = schema.messages[from.of]?.fields.find((each) => each.name === name);
  assert(field !== undefined, `the schema has the path ${path.join('.')}`);
  let known = message.fields.get(field.number);
  if (known === undefined) {
    known = { field, place: emptyPlace(field.type, field.of) };
    message.fields.set(field.number, known);
  }
  const { place } = known;
  if (at + 1 === from.samplesAt) {
    place.samples ??= { fields: new Map() };
    return descend(place.samples, { ...walk, at: at + 1 }, { of: field.of, samplesAt: -1 });
  }
  if (field.type === 'map') {
    const entry = schema.messages[field.of]?.fields ?? [];
    const key = entry.find(({ number }) => number === 1);
    const value = entry.find(({ number }) => number === 2);
    const text = path[at + 1];
    assert(key !== undefined && value !== undefined && text !== undefined, 'a map and its key');
    place.map ??= { keyType: key.type, values: new Map() };
    const below = placeIn(place.map.values, text, value);
    return onward(below, { ...walk, at: at + 2 }, { ...from, of: value.of });
  }
  if (field.repeated) {
    const index = Number(path[at + 1]);
    assert(index >= 0 && index < ELEMENTS_MAX, `an index in ${path.join('.')}`);
    place.elements ??= new Map();
    const below = placeIn(place.elements, index, field);
    return onward(below, { ...walk, at: at + 2 }, { ...from, of: field.of });
  }
  return onward(place, { ...walk, at: at + 1 }, { ...from, of: field.of });
}

function placeIn<K>(places: Map<K, Place>, key: K, { type, of }: ProtobufField): Place {
  let place = places.get(key);
  if (place === undefined) {
    place = emptyPlace(type, of);
    places.set(key, place);
  }
  return place;
}

function onward(place: Place, walk: Walk, from: { of: number; samplesAt: number }): Place {
  if (walk.at === walk.path.length) return place;
  place.message ??= { fields: new Map() };
  return descend(place.message, walk, from);
}

/** Members of oneofs that lead nowhere, but make the others forget. */
function addSiblings(message: Message, schema: ProtobufSchema, of: number): void {
  const oneofs = new Set([...message.fields.values()].map(({ field }) => field.oneof));
  const fields = schema.messages[of]?.fields ?? [];
  for (const field of fields) {
    if (field.oneof < 0 || !oneofs.has(field.oneof) || message.fields.has(field.number)) continue;
    message.fields.set(field.number, { field, place: emptyPlace(field.type, -1) });
  }
  for (const { place } of message.fields.values()) {
    for (const below of placesBelow(place)) {
      const next = below.message ?? below.samples;
      if (next !== null) addSiblings(next, schema, below.of);
    }
  }
}

function placesBelow(place: Place): Place[] {
  return [place, ...(place.map?.values.values() ?? []), ...(place.elements?.values() ?? [])];
}

// --- numbers -------------------------------------------------------------------------------------
interface Numbers {
  readonly leaves: Place[];
  counterCount: number;
}

function numberMessage(message: Message, numbers: Numbers): boolean {
  let samples = false;
  const fields = [...message.fields.values()];
  fields.sort((left, right) => left.field.number - right.field.number);
  for (const { place } of fields) samples = numberPlace(place, numbers) || samples;
  return samples;
}

/** True when the samples lie below. */
function numberPlace(place: Place, numbers: Numbers): boolean {
  const { span } = place;
  span.leaf = numbers.leaves.length;
  span.counter = numbers.counterCount;
  if (place.actions.length > 0) numbers.leaves.push(place);
  if (place.elements !== null) numbers.counterCount += 1;
  let samples = place.samples !== null && (numberMessage(place.samples, numbers) || true);
  if (place.message !== null) samples = numberMessage(place.message, numbers) || samples;
  for (const below of placesBelow(place).slice(1)) {
    samples = numberPlace(below, numbers) || samples;
  }
  span.leafEnd = numbers.leaves.length;
  span.counterEnd = numbers.counterCount;
  span.samples = samples;
  return samples;
}
