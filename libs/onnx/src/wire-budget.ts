import { OnnxError } from './model.ts';

/** Fields of a message that are messages themselves, and those that hold numbers one by one, by their cost. */
interface Layout {
  readonly messages: Readonly<Record<number, string>>;
  readonly numbers?: Readonly<Record<number, number>>;
}

/** Big integers take several times the time and memory of others; floats are packed as they are held. */
const [FLOAT, PLAIN, BIG] = [1 / 8, 1, 4];

/** Where a file may be long-winded: numbers of the fields in proto/onnx.proto. */
const LAYOUTS: Readonly<Record<string, Layout>> = {
  model: { messages: { 7: 'graph', 8: 'other', 14: 'other', 20: 'training', 25: 'function' } },
  training: { messages: { 1: 'graph', 2: 'graph', 3: 'other', 4: 'other' } },
  function: { messages: { 7: 'node', 9: 'other', 11: 'attribute', 12: 'other' } },
  graph: { messages: { 1: 'node', 5: 'tensor', 11: 'other', 12: 'other', 13: 'other', 14: 'other', 15: 'sparse' } },
  sparse: { messages: { 1: 'tensor', 2: 'tensor' }, numbers: { 3: BIG } },
  node: { messages: { 5: 'attribute' } },
  attribute: {
    messages: {
      5: 'tensor',
      6: 'graph',
      10: 'tensor',
      11: 'graph',
      14: 'other',
      15: 'other',
      22: 'sparse',
      23: 'sparse',
    },
    numbers: { 7: FLOAT, 8: BIG },
  },
  tensor: { messages: { 13: 'other' }, numbers: { 1: BIG, 4: FLOAT, 5: PLAIN, 7: BIG, 10: FLOAT, 11: BIG } },
  other: { messages: {} },
};

/** Parts (messages, names, strings) of a file; a model of 20,000 nodes has some 300,000. */
const MOST_PARTS = 2 ** 21;

/** Cost of the numbers that a file spells out one by one, about a second's work to read. Raw data cost nothing. */
const MOST_NUMBERS = 2 ** 24;

/** Messages within messages: graphs hold nodes, which hold attributes, which hold graphs. */
const MOST_DEEP = 64;

/** Wire types of protobuf. */
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** Ends of fixed-size numbers in bytes. */
const WIDTHS: Readonly<Record<number, number>> = { [FIXED32]: 4, [FIXED64]: 8 };

/** Numbers of a tensor that are packed by 4 or 8 bytes each. */
const PACKED_WIDTHS: Readonly<Record<string, number>> = { 'tensor 4': 4, 'tensor 10': 8, 'attribute 7': 4 };

/**
 * Looks through a file, without reading it, for what would take long or much memory to read: numbers spelled out one by one,
 * parts without number, nesting without end.
 * @throws OnnxError when the file is no protobuf or beyond bounds.
 */
export function checkWire(bytes: Uint8Array): void {
  let [at, parts, numbers] = [0, 0, 0];
  const varint = (end: number): number => {
    let [value, scale] = [0, 1];
    for (let read = 0; read < 10; read++) {
      if (at >= end) break;
      const byte = bytes[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 128) return value;
    }
    throw new OnnxError('not an ONNX model: its protobuf cannot be read');
  };
  const count = (kind: string, field: number, cost: number, length: number) => {
    const width = PACKED_WIDTHS[`${kind} ${field}`];
    let found = width === undefined ? 0 : length / width;
    // Every number's last byte, and no other, has its high bit clear.
    if (width === undefined) for (let i = at; i < at + length; i++) if ((bytes[i] ?? 0) < 128) found++;
    numbers += found * cost;
    if (numbers > MOST_NUMBERS)
      throw new OnnxError('the file spells out too many numbers one by one; save its tensors as raw data');
  };
  const walk = (kind: string, end: number, depth: number): void => {
    if (depth > MOST_DEEP) throw new OnnxError(`the file's messages are nested more than ${MOST_DEEP} deep`);
    const layout = LAYOUTS[kind] ?? { messages: {} };
    while (at < end) {
      const tag = varint(end);
      const [field, type] = [Math.floor(tag / 8), tag % 8];
      const cost = layout.numbers?.[field];
      if (++parts > MOST_PARTS) throw new OnnxError(`the file has more than ${MOST_PARTS} parts`);
      if (type === VARINT) {
        varint(end);
        if (cost !== undefined) numbers += cost;
      } else if (type === BYTES) {
        const length = varint(end);
        if (at + length > end) throw new OnnxError('not an ONNX model: its protobuf cannot be read');
        if (cost !== undefined) count(kind, field, cost, length);
        const child = layout.messages[field];
        if (child === undefined) at += length;
        else walk(child, at + length, depth + 1);
      } else {
        const width = WIDTHS[type];
        // Groups, which no version of the format has.
        if (width === undefined) throw new OnnxError('not an ONNX model: its protobuf cannot be read');
        at += width;
      }
    }
    if (at !== end) throw new OnnxError('not an ONNX model: its protobuf cannot be read');
  };
  walk('model', bytes.length, 0);
}
