import type { Dimension, GraphBuilder } from '@faultline/onnx';

/** A case of the gradient test: an expression over inputs drawn from a domain away from kinks. */
export interface Case {
  readonly op: string;
  /** What is special about the case. */
  readonly about?: string;
  /** Input shapes; 'batch' axes are tested at size 2. */
  readonly inputs: readonly (readonly Dimension[])[];
  readonly build: (b: GraphBuilder, ...inputs: string[]) => string;
  /** Values lie in [low, high]; [-2, 2] by default, no nearer to 0 than 0.1. */
  readonly domain?: readonly [number, number] | undefined;
  /** Inputs to differentiate; all by default. */
  readonly wrt?: readonly number[];
  /** Set where the runtime has no float64 kernel. */
  readonly dataType?: 'float32';
  /** Step of the differences; float32 expressions take a large one where they are linear in each input. */
  readonly step?: number;
}

/** The batch axis. */
export const B = 'batch';

/** Steps for float32: exact for expressions linear in each input, or a balance of truncation and rounding. */
export const LINEAR = { dataType: 'float32', step: 0.5 } as const;
export const CURVED = { dataType: 'float32', step: 1e-2 } as const;

/** For float32 expressions of steep third derivative. */
export const SMOOTH = { dataType: 'float32', step: 4e-3 } as const;

export const POSITIVE = [0.3, 2] as const;
