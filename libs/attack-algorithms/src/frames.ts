import { elementCount } from '@faultline/contracts';
import type { AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** The rows whose size a budget limits: a row an example, or, with budgets in frames, a row a frame. */
interface Rows {
  /** Rows of one example. */
  readonly count: number;
  /** Axis sizes of one row. */
  readonly dims: readonly number[];
}

/** The rows of a variable. */
export function rowsOf({ dims, frameSize }: AttackVariable): Rows {
  if (frameSize === undefined) return { count: 1, dims };
  return { count: Math.ceil(elementCount(dims) / frameSize), dims: [frameSize] };
}

/** A value [examples, ...dims] as [examples x frames, frame size], the last frame filled up with zeros; itself without frames. */
export function inRows(b: ProgramBuilder, value: string, variable: AttackVariable): string {
  const { dims, frameSize } = variable;
  if (frameSize === undefined) return value;
  const elements = elementCount(dims);
  const missing = rowsOf(variable).count * frameSize - elements;
  const flat = b.reshape(value, [-1, elements]);
  const filler = () => b.times(b.slice(flat, [0], [missing], [1]), b.scalar(0));
  return b.reshape(missing === 0 ? flat : b.concat([flat, filler()], 1), [-1, frameSize]);
}

/** The value [examples, ...dims] whose rows these are. */
export function fromRows(b: ProgramBuilder, rows: string, variable: AttackVariable): string {
  const { dims, frameSize } = variable;
  if (frameSize === undefined) return rows;
  const elements = elementCount(dims);
  const whole = rowsOf(variable).count * frameSize;
  const flat = b.reshape(rows, [-1, whole]);
  return b.reshape(whole === elements ? flat : b.slice(flat, [0], [elements], [1]), [-1, ...dims]);
}

/** A number an example, [examples], for each of its rows: [examples x frames]. */
export function perRow(b: ProgramBuilder, number: string, variable: AttackVariable): string {
  const { count } = rowsOf(variable);
  if (count === 1) return number;
  const ones = b.constant({ dataType: 'float32', dims: [1, count], data: new Float32Array(count).fill(1) });
  return b.reshape(b.times(b.reshape(number, [-1, 1]), ones), [-1]);
}
