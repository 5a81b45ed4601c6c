import type { Parameter } from '@faultline/fusion';
import { float32, type Graph, GraphBuilder, type Tensor } from '@faultline/onnx';
import { parametersIn, vectorSize } from './parameter-vector.ts';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  /** Decoupled decay; only tensors of two and more axes decay, never scales and biases. */
  readonly weightDecay: number;
  /** Largest L2 norm of all gradients together; larger ones are scaled down to it. */
  readonly maxGradientNorm: number;
}

export const ADAMW_DEFAULTS: AdamWOptions = {
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  weightDecay: 0.05,
  maxGradientNorm: 2,
};

/** Keeps the clipping factor finite at a zero gradient. */
const TINY_NORM = 1e-12;

/**
 * One AdamW step (Loshchilov & Hutter, 2019, algorithm 2) of all parameters, in one vector.
 *
 * Inputs: `weights`, `gradient`, `first`, `second`, all `[elements of all parameters]`; scalars `learningRate`,
 * `correction1` = 1 - beta1^t, `correction2` = 1 - beta2^t. Outputs: `next/weights`, `next/first`, `next/second`, and
 * `gradientNorm` before clipping.
 */
export function adamwStep(parameters: readonly Parameter[], options: AdamWOptions = ADAMW_DEFAULTS): Graph {
  const { beta1, beta2, epsilon, maxGradientNorm } = options;
  const g = new GraphBuilder({ prefix: 'step/' });
  const dims = [vectorSize(parameters)];
  const [weights, gradient] = [g.input('weights', dims), g.input('gradient', dims)];
  const [first, second] = [g.input('first', dims), g.input('second', dims)];
  const learningRate = g.input('learningRate', []);
  const correction1 = g.input('correction1', []);
  const correction2 = g.input('correction2', []);

  const squares = g.times(gradient, gradient);
  const norm = g.op('Sqrt', [g.reduceSum(squares, [0], false)]);
  const bounded = g.op('Max', [norm, g.scalar(Math.max(maxGradientNorm, TINY_NORM))]);
  const factor = g.over(g.scalar(maxGradientNorm), bounded);
  // What is the same for all elements is multiplied first: each product of vectors is a pass over all parameters.
  const blend = (state: string, beta: number, value: string, scale: string) =>
    g.plus(g.times(state, g.scalar(beta)), g.times(value, g.times(scale, g.scalar(1 - beta))));
  const nextFirst = blend(first, beta1, gradient, factor);
  const nextSecond = blend(second, beta2, squares, g.times(factor, factor));

  const deviation = g.plus(g.op('Sqrt', [g.over(nextSecond, correction2)]), g.scalar(epsilon));
  const direction = g.over(nextFirst, deviation);
  const kept = g.minus(g.scalar(1), g.times(g.constant(decayOf(parameters, options)), learningRate));
  const moved = g.times(direction, g.over(learningRate, correction1));
  g.output(g.minus(g.times(weights, kept), moved), dims, 'float32', 'next/weights');
  g.output(nextFirst, dims, 'float32', 'next/first');
  g.output(nextSecond, dims, 'float32', 'next/second');
  g.output(norm, [], 'float32', 'gradientNorm');
  return g.graph('adamw');
}

/** Decay of each element. */
function decayOf(parameters: readonly Parameter[], { weightDecay }: AdamWOptions): Tensor {
  const decay = new Float32Array(vectorSize(parameters));
  for (const [, { dims, data }] of parametersIn(decay, parameters)) {
    if (dims.length > 1 && data instanceof Float32Array) data.fill(weightDecay);
  }
  return float32(decay);
}
