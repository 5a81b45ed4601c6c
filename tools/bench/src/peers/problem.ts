import { attack as contract, type DenseTensor } from '@faultline/contracts';

/** What of the inputs may change, and how a change is measured. */
export interface Problem {
  readonly norm: ProblemNorm;
  readonly variables: readonly VariableName[];
}

export type ProblemNorm = 'linf' | 'l2' | 'l1' | 'l0';
export type VariableName = 'waveform' | 'frames';

/** Widths of the ranges: the libraries see every input stretched to [0, 1]. */
export const WIDTH = { waveform: 2, frames: 1 } as const satisfies Record<VariableName, number>;

export const NORMS = {
  linf: contract.Norm.NORM_LINF,
  l2: contract.Norm.NORM_L2,
  l1: contract.Norm.NORM_L1,
  l0: contract.Norm.NORM_L0,
} as const satisfies Record<ProblemNorm, contract.Norm>;

/** Changed inputs of one clip, [1, ...] each. */
export type Point = ReadonlyMap<string, DenseTensor>;

export const titleOf = ({ norm, variables }: Problem): string => `${norm} on ${variables.join(' + ')}`;

const REDUCED: Readonly<Record<ProblemNorm, (changes: readonly number[]) => number>> = {
  linf: (changes) => changes.reduce((most, change) => Math.max(most, change), 0),
  l2: (changes) => Math.sqrt(changes.reduce((sum, change) => sum + change * change, 0)),
  l1: (changes) => changes.reduce((sum, change) => sum + change, 0),
  l0: (changes) => changes.filter((change) => change > 0).length,
};

/** Elements as numbers in the variable's own unit; bytes are pixels x 255. */
export function elements({ data }: DenseTensor): Float32Array {
  if (data instanceof Float32Array) return data;
  if (data instanceof Uint8Array) return Float32Array.from(data, (byte) => byte / 255);
  throw new TypeError('inputs are float32 or uint8');
}

/** How far a point is from its clip, in float64, each input in units of its range: the largest over the variables. */
export function sizeOf({ norm, variables }: Problem, clean: Point, point: Point): number {
  const sizes = variables.map((variable) => {
    const [from, to] = [clean.get(variable), point.get(variable)];
    if (from === undefined || to === undefined) throw new Error(`a point lacks the input '${variable}'`);
    const [before, after] = [elements(from), elements(to)];
    const changes = Array.from(before, (value, at) => Math.abs((after[at] ?? Number.NaN) - value) / WIDTH[variable]);
    return REDUCED[norm](changes);
  });
  return Math.max(...sizes);
}
