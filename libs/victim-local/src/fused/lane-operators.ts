import { type Code, LANES, splat } from './wasm.ts';

/** Makes code that leaves the result on the stack, from code that leaves each operand there. */
type LaneOperator = (...operands: readonly Code[]) => Code;

const unary =
  (instruction: Code): LaneOperator =>
  (a = []) => [...a, ...instruction];
const binary =
  (instruction: Code): LaneOperator =>
  (a = [], b = []) => [...a, ...b, ...instruction];
/** Of any number of operands, from the left. */
const variadic =
  (instruction: Code): LaneOperator =>
  (first = [], ...others) => [...first, ...others.flatMap((operand) => [...operand, ...instruction])];

const ZERO = splat(0);
const ONE = splat(1);
const identity: LaneOperator = (a = []) => a;
/** 1 where the mask is set. */
const asNumber = (mask: Code) => [...mask, ...ONE, ...LANES.and];

/** Operators of the standard domain that work coordinate by coordinate, on float32 lanes, and on masks where ONNX has booleans. */
export const LANE_OPERATORS: ReadonlyMap<string, LaneOperator> = new Map<string, LaneOperator>([
  ['Abs', unary(LANES.abs)],
  ['Add', binary(LANES.add)],
  ['And', binary(LANES.and)],
  ['Ceil', unary(LANES.ceil)],
  ['Clip', (a = [], least = [], most = []) => [...a, ...least, ...LANES.max, ...most, ...LANES.min]],
  ['Div', binary(LANES.divide)],
  ['Equal', binary(LANES.equal)],
  ['Floor', unary(LANES.floor)],
  ['Greater', binary(LANES.greater)],
  ['GreaterOrEqual', binary(LANES.greaterOrEqual)],
  ['Identity', identity],
  ['Less', binary(LANES.less)],
  ['LessOrEqual', binary(LANES.lessOrEqual)],
  ['Max', variadic(LANES.max)],
  ['Min', variadic(LANES.min)],
  ['Mul', binary(LANES.multiply)],
  ['Neg', unary(LANES.negate)],
  ['Not', unary(LANES.not)],
  ['Or', binary(LANES.or)],
  ['Relu', (a = []) => [...a, ...ZERO, ...LANES.max]],
  ['Reshape', identity],
  ['Round', unary(LANES.nearest)],
  [
    'Sign',
    (a = []) => [
      ...asNumber([...a, ...ZERO, ...LANES.greater]),
      ...asNumber([...a, ...ZERO, ...LANES.less]),
      ...LANES.subtract,
    ],
  ],
  ['Sqrt', unary(LANES.sqrt)],
  ['Sub', binary(LANES.subtract)],
  ['Sum', variadic(LANES.add)],
  ['Where', (mask = [], yes = [], no = []) => [...yes, ...no, ...mask, ...LANES.select]],
  ['Xor', binary(LANES.xor)],
]);

/** How coordinates become one number. */
export interface Fold {
  /** What of a coordinate is folded. */
  readonly of: LaneOperator;
  readonly fold: Code;
  /** The same of two partial results. */
  readonly join: (a: number, b: number) => number;
  /** The result of no coordinate. */
  readonly empty: number;
  /** What becomes of the result of `count` coordinates. */
  readonly finish: (folded: number, count: number) => number;
}

const sum = { fold: LANES.add, join: (a: number, b: number) => a + b, empty: 0 };
const asItIs = (folded: number) => folded;

export const FOLDS: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ['ReduceL1', { ...sum, of: unary(LANES.abs), finish: asItIs }],
  ['ReduceMax', { of: identity, fold: LANES.max, join: Math.max, empty: Number.NEGATIVE_INFINITY, finish: asItIs }],
  ['ReduceMean', { ...sum, of: identity, finish: (folded, count) => folded / count }],
  ['ReduceMin', { of: identity, fold: LANES.min, join: Math.min, empty: Number.POSITIVE_INFINITY, finish: asItIs }],
  ['ReduceSum', { ...sum, of: identity, finish: asItIs }],
  ['ReduceSumSquare', { ...sum, of: (a = []) => [...a, ...a, ...LANES.multiply], finish: asItIs }],
]);
