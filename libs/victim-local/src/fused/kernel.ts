import { FOLDS, LANE_OPERATORS } from './lane-operators.ts';
import {
  addI32,
  type Code,
  FIRST_LANE,
  getLocal,
  greaterI32,
  i32,
  instantiate,
  LANES,
  loadFirstLane,
  loadLanes,
  loadSplat,
  memoryOf,
  moduleOf,
  setLocal,
  splat,
  storeFirstLane,
  storeLanes,
  whileLoop,
} from './wasm.ts';

/** A value of a kernel: what it is given, or what a step of it makes. */
export type Operand =
  | { readonly kind: 'stream' | 'scalar' | 'step'; readonly index: number }
  | { readonly kind: 'constant'; readonly value: number };

/** An operator of LANE_OPERATORS on operands that come before it. */
export interface LaneStep {
  readonly op: string;
  readonly operands: readonly Operand[];
}

/** What is made of each coordinate in one pass: of streams, which have a number a coordinate, and of scalars, which have one a row. */
export interface LaneProgram {
  readonly streams: number;
  readonly scalars: number;
  readonly steps: readonly LaneStep[];
  /** What is written, coordinate by coordinate. */
  readonly results: readonly Operand[];
  /** What is folded over the coordinates of a row: operators of FOLDS. */
  readonly folds: readonly { readonly op: string; readonly of: Operand }[];
}

/** Coordinates that are worked on together: a dozen streams of them stay in a core's cache. */
export const CHUNK = 8192;

const FLOAT_BYTES = 4;
const LANE_COUNT = 4;
const LANE_BYTES = LANE_COUNT * FLOAT_BYTES;

/** The parameters of `run`: where to begin and to end, in bytes within a chunk; `run` moves the first one. */
const [AT, END] = [0, 1];
const FIRST_LOCAL = 2;

/** What all kernels work in, one after the other: a run reads nothing that was not put there for it. */
const MEMORY = memoryOf(128);
const FLOATS = new Float32Array(MEMORY.buffer);
const WORDS = new Uint32Array(MEMORY.buffer);

/** Where things lie, in numbers of four bytes: a chunk of every stream and result, then the scalars, then four lanes of each fold. */
function layoutOf({ streams, scalars, results, folds }: LaneProgram) {
  const scalarsAt = (streams + results.length) * CHUNK;
  const foldsAt = scalarsAt + scalars;
  return { scalarsAt, foldsAt, size: foldsAt + folds.length * LANE_COUNT };
}

/** Whether there is memory for a program. */
export const fits = (program: LaneProgram): boolean => layoutOf(program).size <= FLOATS.length;

/** A pass over streams, compiled. */
export class Kernel {
  readonly program: LaneProgram;
  readonly #run: (at: number, end: number) => void;
  readonly #scalarsAt: number;
  readonly #foldsAt: number;

  /** @throws RangeError for an operator that is none of LANE_OPERATORS or FOLDS */
  constructor(program: LaneProgram) {
    this.program = program;
    const { scalarsAt, foldsAt } = layoutOf(program);
    [this.#scalarsAt, this.#foldsAt] = [scalarsAt, foldsAt];
    this.#run = instantiate(assemble(program), MEMORY);
  }

  /** Puts coordinates [from, to) of a stream at `at` of its chunk. */
  load(stream: number, values: Float32Array, from: number, to: number, at = 0): void {
    FLOATS.set(values.subarray(from, to), stream * CHUNK + at);
  }

  /** Takes the first `to - from` coordinates of a result's chunk. */
  store(result: number, values: Float32Array, from: number, to: number): void {
    const start = (this.program.streams + result) * CHUNK;
    values.set(FLOATS.subarray(start, start + to - from), from);
  }

  /** Gives a scalar: a number, or a mask. */
  set(scalar: number, value: number | boolean): void {
    const at = this.#scalarsAt + scalar;
    if (typeof value === 'number') FLOATS[at] = value;
    else WORDS[at] = value ? 0xffff_ffff : 0;
  }

  /** Works on coordinates [from, to) of the chunk. */
  run(from: number, to: number): void {
    this.#run(from * FLOAT_BYTES, to * FLOAT_BYTES);
  }

  /** What a fold made of the coordinates of the last `run`. */
  folded(index: number): number {
    const at = this.#foldsAt + index * LANE_COUNT;
    const { join } = operator(FOLDS, this.program.folds[index]?.op ?? '');
    return FLOATS.subarray(at, at + LANE_COUNT).reduce((joined, lane) => join(joined, lane));
  }
}

/** All steps one after the other, four coordinates at a time and then one by one. */
function assemble(program: LaneProgram): Uint8Array<ArrayBuffer> {
  const { streams, scalars, steps, results, folds } = program;
  const { scalarsAt, foldsAt } = layoutOf(program);
  const local = {
    scalar: (index: number) => FIRST_LOCAL + index,
    stream: (index: number) => FIRST_LOCAL + scalars + index,
    step: (index: number) => FIRST_LOCAL + scalars + streams + index,
    fold: (index: number) => FIRST_LOCAL + scalars + streams + steps.length + index,
  };
  const codeOf = (operand: Operand): Code =>
    operand.kind === 'constant' ? splat(operand.value) : getLocal(local[operand.kind](operand.index));
  const chunkOffset = (index: number) => index * CHUNK * FLOAT_BYTES;

  const pass = (width: number): Code => {
    const code: number[] = [];
    const [load, store] = width === LANE_COUNT ? [loadLanes, storeLanes] : [loadFirstLane, storeFirstLane];
    for (let index = 0; index < streams; index++)
      code.push(...getLocal(AT), ...load(chunkOffset(index)), ...setLocal(local.stream(index)));
    for (const [index, { op, operands }] of steps.entries())
      code.push(...operator(LANE_OPERATORS, op)(...operands.map(codeOf)), ...setLocal(local.step(index)));
    for (const [index, result] of results.entries())
      code.push(...getLocal(AT), ...codeOf(result), ...store(chunkOffset(streams + index)));
    for (const [index, { op, of }] of folds.entries()) {
      const fold = operator(FOLDS, op);
      const taken = fold.of(codeOf(of));
      const masked = width === LANE_COUNT ? taken : [...taken, ...splat(fold.empty), ...FIRST_LANE, ...LANES.select];
      code.push(...getLocal(local.fold(index)), ...masked, ...fold.fold, ...setLocal(local.fold(index)));
    }
    const advance = [...getLocal(AT), ...i32(width * FLOAT_BYTES), ...addI32, ...setLocal(AT)];
    const last = [...getLocal(AT), ...i32((width - 1) * FLOAT_BYTES), ...addI32];
    return whileLoop([...getLocal(END), ...last, ...greaterI32], [...code, ...advance]);
  };

  const body: number[] = [];
  for (let index = 0; index < scalars; index++)
    body.push(...i32((scalarsAt + index) * FLOAT_BYTES), ...loadSplat(0), ...setLocal(local.scalar(index)));
  for (const [index, { op }] of folds.entries())
    body.push(...splat(operator(FOLDS, op).empty), ...setLocal(local.fold(index)));
  body.push(...pass(LANE_COUNT), ...pass(1));
  for (const index of folds.keys())
    body.push(...i32(foldsAt * FLOAT_BYTES + index * LANE_BYTES), ...getLocal(local.fold(index)), ...storeLanes(0));
  return moduleOf(scalars + streams + steps.length + folds.length, body);
}

/** A row of LANE_OPERATORS or FOLDS. @throws RangeError for an operator that is not there */
export function operator<Value>(table: ReadonlyMap<string, Value>, op: string): Value {
  const found = table.get(op);
  if (found === undefined) throw new RangeError(`operator '${op}' is not one of ${[...table.keys()].join(', ')}`);
  return found;
}
