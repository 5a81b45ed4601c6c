import type { Parameter } from '@faultline/fusion';
import { type Graph, GraphBuilder } from '@faultline/onnx';

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
 * One AdamW step (Loshchilov & Hutter, 2019, algorithm 2) of all parameters.
 *
 * Inputs for each parameter P: `P`, `grad/P`, `first/P`, `second/P`; scalars `learningRate`, `correction1` = 1 - beta1^t,
 * `correction2` = 1 - beta2^t. Outputs: `next/P`, `next/first/P`, `next/second/P`, and `gradientNorm` before clipping.
 */
export function adamwStep(parameters: readonly Parameter[], options: AdamWOptions = ADAMW_DEFAULTS): Graph {
  const { beta1, beta2, epsilon, weightDecay, maxGradientNorm } = options;
  const g = new GraphBuilder({ prefix: 'step/' });
  const learningRate = g.input('learningRate', []);
  const correction1 = g.input('correction1', []);
  const correction2 = g.input('correction2', []);
  const gradients = parameters.map(({ name, shape }) => g.input(`grad/${name}`, shape));
  const squares = parameters.map(({ shape }, index) => {
    const gradient = gradients[index] ?? '';
    return g.reduceSum(
      g.times(gradient, gradient),
      shape.map((_, axis) => axis),
      false,
    );
  });
  const norm = g.op('Sqrt', [g.op('Sum', squares)]);
  const bounded = g.op('Max', [norm, g.scalar(Math.max(maxGradientNorm, TINY_NORM))]);
  const factor = g.over(g.scalar(maxGradientNorm), bounded);

  for (const [index, { name, shape }] of parameters.entries()) {
    const weight = g.input(name, shape);
    const gradient = g.times(gradients[index] ?? '', factor);
    const blend = (state: string, beta: number, value: string) =>
      g.plus(g.times(state, g.scalar(beta)), g.times(value, g.scalar(1 - beta)));
    const first = blend(g.input(`first/${name}`, shape), beta1, gradient);
    const second = blend(g.input(`second/${name}`, shape), beta2, g.times(gradient, gradient));
    const deviation = g.plus(g.op('Sqrt', [g.over(second, correction2)]), g.scalar(epsilon));
    const direction = g.over(g.over(first, correction1), deviation);
    const decayed = shape.length > 1 ? g.plus(direction, g.times(weight, g.scalar(weightDecay))) : direction;
    g.output(g.minus(weight, g.times(decayed, learningRate)), shape, 'float32', `next/${name}`);
    g.output(first, shape, 'float32', `next/first/${name}`);
    g.output(second, shape, 'float32', `next/second/${name}`);
  }
  g.output(norm, [], 'float32', 'gradientNorm');
  return g.graph('adamw');
}
