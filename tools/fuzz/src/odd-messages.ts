import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf';
import { type ReflectList, type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect';
import type { Random } from './random.ts';

/** How often a field of a message made from nothing is set. */
const SET_PROBABILITY = 0.7;
/** Deeper messages stay empty. */
const MAX_DEPTH = 6;
const MAX_LIST = 3;
const MAX_BYTES = 64;

/** Strings that programs tend to trip over: empty, long, control characters, paths, names of other things, digests. */
const STRINGS = [
  '',
  ' ',
  'waveform',
  'frames',
  'late',
  'pgd',
  'x0/waveform',
  'no such name',
  '../../../../etc/passwd',
  '\u0000',
  '\u202e\u{1f4a3}',
  '__proto__',
  'constructor',
  '%s%n',
  "'; DROP TABLE campaigns; --",
  '20260101-000000-abcd',
  'a'.repeat(200),
  'f'.repeat(64),
  'A'.repeat(100_000),
];

const INTEGERS = [0, 1, 2, 3, 16, 64, 65, 1_000, 65_536, 2_147_483_647];
const FLOATS = [0, -0, 1, -1, 0.5, 1e-40, 1e30, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

type Scalar = string | number | bigint | boolean | Uint8Array;

const bytes = (random: Random): Uint8Array =>
  Uint8Array.from({ length: random.below(MAX_BYTES) }, () => random.below(256));

function integer(type: ScalarType, random: Random): number | bigint {
  const value = random.pick(INTEGERS);
  switch (type) {
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return random.chance(0.2) ? 0xffff_ffff : value;
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return random.chance(0.2) ? random.pick([2n ** 53n - 1n, 2n ** 53n, 2n ** 64n - 1n]) : BigInt(value);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return random.chance(0.2) ? random.pick([-1n, -(2n ** 63n), 2n ** 63n - 1n]) : BigInt(value);
    default:
      return random.chance(0.2) ? random.pick([-1, -2_147_483_648]) : value;
  }
}

function scalar(type: ScalarType, random: Random): Scalar {
  switch (type) {
    case ScalarType.STRING:
      return random.pick(STRINGS);
    case ScalarType.BYTES:
      return bytes(random);
    case ScalarType.BOOL:
      return random.chance(0.5);
    case ScalarType.FLOAT:
      // What a double holds does not always fit a float.
      return Math.fround(random.pick(FLOATS));
    case ScalarType.DOUBLE:
      return random.pick(FLOATS);
    default:
      return integer(type, random);
  }
}

/** A value of a field that has one (no list, no map): any enum number, any scalar, a message made from nothing. */
function single(field: DescField, random: Random, depth: number): unknown {
  switch (field.fieldKind) {
    case 'message':
      return reflect(field.message, oddMessage(field.message, random, depth + 1));
    case 'enum':
      return random.chance(0.2) ? random.pick([-1, 99, 2_147_483_647]) : random.pick(field.enum.values).number;
    case 'scalar':
      return scalar(field.scalar, random);
    default:
      throw new TypeError(`${field.toString()} holds many values`);
  }
}

function item(field: DescField & { fieldKind: 'list' }, random: Random, depth: number): unknown {
  switch (field.listKind) {
    case 'message':
      return reflect(field.message, oddMessage(field.message, random, depth + 1));
    case 'enum':
      return random.pick(field.enum.values).number;
    default:
      return scalar(field.scalar, random);
  }
}

function fill(message: ReflectMessage, field: DescField, random: Random, depth: number): void {
  if (field.fieldKind === 'map') return;
  if (field.fieldKind !== 'list') {
    message.set(field, single(field, random, depth));
    return;
  }
  const list: ReflectList = message.get(field);
  list.clear();
  const length = random.below(MAX_LIST + 1);
  for (let index = 0; index < length; index++) list.add(item(field, random, depth));
}

/** A message made from nothing: each field is perhaps set, to anything that its type allows. */
export function oddMessage(schema: DescMessage, random: Random, depth = 0): Message {
  const message = reflect(schema, create(schema));
  if (depth >= MAX_DEPTH) return message.message;
  for (const field of schema.fields) {
    if (field.oneof !== undefined && random.pick(field.oneof.fields) !== field) continue;
    if (random.chance(SET_PROBABILITY)) fill(message, field, random, depth);
  }
  return message.message;
}

/** Messages inside a message, itself included. */
function* within(message: ReflectMessage): Generator<ReflectMessage> {
  yield message;
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === 'message') yield* within(message.get(field));
    if (field.fieldKind === 'list' && field.listKind === 'message') {
      const list: ReflectList = message.get(field);
      for (const entry of list) yield* within(entry as ReflectMessage);
    }
  }
}

function spoilList(list: ReflectList, field: DescField & { fieldKind: 'list' }, random: Random): void {
  const entries = [...list];
  const odd = () => item(field, random, 0);
  const changed = random.pick([
    [],
    entries.slice(1),
    [...entries, ...entries],
    [...entries, odd()],
    entries.map((entry, index) => (index === 0 ? odd() : entry)),
  ]);
  list.clear();
  for (const entry of changed) list.add(entry);
}

/** A sound message with one field changed, somewhere in its depth: taken away, doubled, or replaced by something odd. */
export function spoil(schema: DescMessage, sound: Uint8Array, random: Random): Uint8Array {
  const message = fromBinary(schema, sound);
  spoilField(reflect(schema, message), random);
  return toBinary(schema, message);
}

function spoilField(message: ReflectMessage, random: Random): void {
  const place = random.pick([...within(message)].filter(({ fields }) => fields.length > 0));
  const set = place.fields.filter((field) => place.isSet(field));
  const field = random.pick(set.length > 0 && random.chance(0.8) ? set : place.fields);
  if (field.fieldKind === 'list') spoilList(place.get(field), field, random);
  else if (place.isSet(field) && random.chance(0.3)) place.clear(field);
  else fill(place, field, random, 0);
}
