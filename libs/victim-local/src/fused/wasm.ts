/** Instructions of WebAssembly, as bytes. Source: WebAssembly core specification 2.0, chapter 5. */
export type Code = readonly number[];

const CONTINUES = 0x80;
const SEVEN_BITS = 0x7f;

/** LEB128 of a whole number of at least 0. */
export function unsigned(value: number): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / CONTINUES)) {
    if (rest < CONTINUES) return [...bytes, rest];
    bytes.push((rest & SEVEN_BITS) | CONTINUES);
  }
}

/** Signed LEB128 of a number of at least 0: its highest bit must not look like a sign. */
export function constant(value: number): Code {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / CONTINUES)) {
    if (rest < CONTINUES / 2) return [...bytes, rest];
    bytes.push((rest & SEVEN_BITS) | CONTINUES);
  }
}

const I32 = 0x7f;
const V128 = 0x7b;
const NO_RESULT = 0x40;

export const getLocal = (index: number): Code => [0x20, ...unsigned(index)];
export const setLocal = (index: number): Code => [0x21, ...unsigned(index)];
export const i32 = (value: number): Code => [0x41, ...constant(value)];
export const addI32: Code = [0x6a];
export const greaterI32: Code = [0x4b];

/** Repeats `body` as long as `condition` leaves something else than 0. */
export const whileLoop = (condition: Code, body: Code): Code => [
  ...[0x02, NO_RESULT, 0x03, NO_RESULT],
  ...condition,
  // Out of the block where it does not hold; else round again.
  ...[0x45, 0x0d, 1],
  ...body,
  ...[0x0c, 0, 0x0b, 0x0b],
];

const SIMD = 0xfd;
const simd = (opcode: number): Code => [SIMD, ...unsigned(opcode)];

/** Alignment is a hint, and no row is promised to begin anywhere. */
const UNALIGNED = 0;
const memory = (opcode: number) => (offset: number) => [...simd(opcode), UNALIGNED, ...unsigned(offset)];

/** Loads and stores at an address on the stack and an offset of bytes. */
export const loadLanes = memory(0x00);
export const loadSplat = memory(0x09);
export const loadFirstLane = memory(0x5c);
export const storeLanes = memory(0x0b);
export const storeFirstLane = (offset: number): Code => [...memory(0x5a)(offset), 0];

/** Four equal numbers. */
export function splat(value: number): Code {
  const bytes = new Uint8Array(Float32Array.of(value, value, value, value).buffer);
  return [...simd(0x0c), ...bytes];
}

/** All bits of the first lane, none of the others. */
export const FIRST_LANE: Code = [...simd(0x0c), ...Array.from({ length: 16 }, (_, at) => (at < 4 ? 0xff : 0))];

/** Instructions on four float32 lanes; comparisons give lanes of ones or zeros. */
export const LANES = {
  equal: simd(0x41),
  less: simd(0x43),
  greater: simd(0x44),
  lessOrEqual: simd(0x45),
  greaterOrEqual: simd(0x46),
  not: simd(0x4d),
  and: simd(0x4e),
  or: simd(0x50),
  xor: simd(0x51),
  /** (yes, no, mask) */
  select: simd(0x52),
  ceil: simd(0x67),
  floor: simd(0x68),
  nearest: simd(0x6a),
  abs: simd(0xe0),
  negate: simd(0xe1),
  sqrt: simd(0xe3),
  add: simd(0xe4),
  subtract: simd(0xe5),
  multiply: simd(0xe6),
  divide: simd(0xe7),
  min: simd(0xe8),
  max: simd(0xe9),
} as const satisfies Readonly<Record<string, Code>>;

const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
const name = (text: string): Code => [text.length, ...new TextEncoder().encode(text)];

/** A module that takes a memory, `memory.floats`, and exports `run(i32, i32)`, with so many v128 locals behind its two parameters. */
export function moduleOf(locals: number, body: Code): Uint8Array<ArrayBuffer> {
  const code = [1, ...unsigned(locals), V128, ...body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, [1, 0x60, 2, I32, I32, 0]),
    ...section(2, [1, ...name('memory'), ...name('floats'), 2, 0, 1]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('run'), 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

interface Memory {
  readonly buffer: ArrayBuffer;
}

/** What is used of WebAssembly's JavaScript interface, whose types come with those of browsers only. */
declare const WebAssembly: {
  readonly Memory: new (pages: { readonly initial: number; readonly maximum: number }) => Memory;
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (
    module: object,
    imports: { readonly memory: { readonly floats: Memory } },
  ) => { readonly exports: { readonly run: (at: number, end: number) => void } };
};

/** A memory of so many pages of 64 KiB. */
export const memoryOf = (pages: number): Memory => new WebAssembly.Memory({ initial: pages, maximum: pages });

/** Loads a module of `moduleOf`; returns its `run`. */
export const instantiate = (module: Uint8Array<ArrayBuffer>, floats: Memory): ((at: number, end: number) => void) =>
  new WebAssembly.Instance(new WebAssembly.Module(module), { memory: { floats } }).exports.run;
