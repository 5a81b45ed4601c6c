import type { LoopPlan, LoopVariable, NoiseSlot, Samples } from '@faultline/victim';

/** Axis sizes of what programs may name, of one example. */
export interface VictimShapes {
  /** Every input of the victim. */
  readonly inputs: ReadonlyMap<string, readonly number[]>;
  /** Every tap that has a value for each example. */
  readonly taps: ReadonlyMap<string, readonly number[]>;
  readonly labels: number;
}

/** How one evaluation is composed: everything of a plan that shapes a graph, and nothing of its tensors. */
export interface EvaluationSetting extends VictimShapes {
  readonly variables: readonly LoopVariable[];
  readonly mode: 'differentiate' | 'evaluate';
  readonly samples: Samples | undefined;
  readonly noise: readonly NoiseSlot[];
  /** Gradients pass Round, Floor and Ceil as if they were the identity. */
  readonly straightThrough: boolean;
}

/** The part of a plan that shapes graphs. */
export type PlanShape = Pick<LoopPlan, 'variables' | 'mode' | 'samples' | 'noise'>;

/**
 * The setting of a plan.
 * @throws RangeError naming what does not fit the victim or itself.
 */
export function settingOf(plan: PlanShape, shapes: VictimShapes): EvaluationSetting {
  const { variables, samples, noise = [] } = plan;
  const known = [...shapes.inputs.keys(), ...shapes.taps.keys()];
  if (variables.length === 0) throw new RangeError('name at least one variable');
  for (const { name, scope } of variables) {
    if (!known.includes(name)) {
      throw new RangeError(
        `variable '${name}' is no input or tap of this victim; its inputs are ${[...shapes.inputs.keys()].join(', ')}, its taps ${[...shapes.taps.keys()].join(', ') || 'none'}`,
      );
    }
    if (variables.filter((other) => other.name === name).length > 1)
      throw new RangeError(`variable '${name}' is named twice`);
    if (scope !== 'example' && scope !== 'shared')
      throw new RangeError(`variable '${name}' has the scope '${String(scope)}'; it must be example or shared`);
  }
  if (samples !== undefined && (!Number.isInteger(samples.count) || samples.count < 1))
    throw new RangeError(`the number of samples is ${samples.count}; give 1 or more`);
  checkNoise(noise);
  return { ...shapes, variables, mode: plan.mode ?? 'differentiate', samples, noise, straightThrough: false };
}

function checkNoise(slots: readonly NoiseSlot[]): void {
  const names = slots.map(({ name }) => name);
  for (const { name, dims } of slots) {
    if (names.indexOf(name) !== names.lastIndexOf(name)) throw new RangeError(`noise '${name}' is declared twice`);
    if (dims.some((size) => !Number.isInteger(size) || size < 1))
      throw new RangeError(`noise '${name}' has axes [${dims.join(', ')}]; each must be 1 or more`);
  }
}

/** Axis sizes of one example of a variable. */
export function variableDims({ inputs, taps }: VictimShapes, name: string): readonly number[] {
  const dims = inputs.get(name) ?? taps.get(name);
  if (dims === undefined) throw new RangeError(`'${name}' is no input or tap of this victim`);
  return dims;
}

/** Tells settings apart for caches. */
export const settingKey = ({ variables, mode, samples, noise, straightThrough }: EvaluationSetting): string =>
  JSON.stringify([variables.map(({ name, scope }) => [name, scope]), mode, samples, noise, straightThrough]);
