/**
 * The part of a Protobuf schema that the declared paths walk. In: the fields used, by type. Out:
 * the messages of a plan's schema, the root first, then breadth first; whoever declares the same
 * paths in another order gets the same.
 */
import protobuf from 'protobufjs';
import type { ProtobufField, ProtobufSchema, ProtobufType } from '../../model/plan-schema.ts';

type Parts = Pick<ProtobufSchema, 'messages' | 'enums'>;
type Message = ProtobufSchema['messages'][number];

export class ProtobufPruning {
  readonly #root: protobuf.Type;
  readonly #used = new Map<protobuf.Type, Set<protobuf.Field>>();
  /** Enumerations whose names are values. */
  readonly #named = new Set<protobuf.Enum>();

  constructor(root: protobuf.Type) {
    this.#root = root;
  }

  use(type: protobuf.Type, field: protobuf.Field): void {
    const fields = this.#used.get(type) ?? new Set();
    this.#used.set(type, fields);
    fields.add(field);
  }

  useAll(type: protobuf.Type): void {
    for (const field of type.fieldsArray) this.use(type, field.resolve());
  }

  useNames(names: protobuf.Enum): void {
    this.#named.add(names);
  }

  schema(): Parts {
    const messages: Message[] = [];
    const enums: protobuf.Enum[] = [];
    // Types, and maps for their entries, in the order of their places in `messages`.
    const queue: (protobuf.Type | protobuf.MapField)[] = [this.#root];
    const placeOf = <T>(list: T[], item: T): number => {
      if (!list.includes(item)) list.push(item);
      return list.indexOf(item);
    };
    const targetOf = (field: protobuf.FieldBase): Pick<ProtobufField, 'type' | 'of'> => {
      const resolved = field.resolvedType;
      if (resolved instanceof protobuf.Enum) {
        return { type: 'enum', of: this.#named.has(resolved) ? placeOf(enums, resolved) : -1 };
      }
      if (resolved === null) return { type: field.type as ProtobufType, of: -1 };
      const of = this.#used.has(resolved) ? placeOf(queue, resolved) : -1;
      const isGroup = field instanceof protobuf.Field && field.delimited;
      return { type: isGroup ? 'group' : 'message', of };
    };
    for (let i = 0; i < queue.length; i += 1) {
      const from = queue[i]!;
      messages.push({
        fields:
          from instanceof protobuf.MapField
            ? entryFields(from, targetOf(from))
            : this.#fieldsOf(from).map((field) => ({
                number: field.id,
                name: field.name,
                repeated: field.repeated,
                oneof: oneofOf(from, field),
                ...(field instanceof protobuf.MapField
                  ? { type: 'map' as const, of: placeOf(queue, field) }
                  : targetOf(field)),
              })),
      });
    }
    return { messages, enums: enums.map(namesOf) };
  }

  /** Those used, and those that share a oneof with one; ascending. */
  #fieldsOf(type: protobuf.Type): protobuf.Field[] {
    const used = this.#used.get(type) ?? new Set();
    const oneofs = new Set([...used].map((field) => oneofOf(type, field)));
    return type.fieldsArray
      .map((field) => field.resolve())
      .filter(
        (field) =>
          used.has(field) || (oneofOf(type, field) >= 0 && oneofs.has(oneofOf(type, field))),
      )
      .sort((left, right) => left.id - right.id);
  }
}

/** −1 also for the oneof of a single field that stands for proto3's `optional`. */
function oneofOf(type: protobuf.Type, field: protobuf.Field): number {
  const oneof = field.partOf;
  return oneof === null || oneof.fieldsArray.length < 2 ? -1 : type.oneofsArray.indexOf(oneof);
}

function entryFields(
  map: protobuf.MapField,
  value: Pick<ProtobufField, 'type' | 'of'>,
): ProtobufField[] {
  const key = { type: map.keyType as ProtobufType, of: -1 };
  const rest = { repeated: false, oneof: -1 };
  return [
    { number: 1, name: 'key', ...key, ...rest },
    { number: 2, name: 'value', ...value, ...rest },
  ];
}

/** The first name of a number counts. */
function namesOf({ values }: protobuf.Enum): ProtobufSchema['enums'][number] {
  const names = new Map<number, string>();
  for (const [name, number] of Object.entries(values)) {
    if (!names.has(number)) names.set(number, name);
  }
  return { values: [...names].sort(([left], [right]) => left - right) };
}
