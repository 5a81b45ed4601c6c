import type { victim } from '@faultline/contracts';
import { exampleDims, type LoopBatch, type Tensors } from '@faultline/victim';
import type { ShapedProgram } from './program-shape.ts';
import type { EvaluationSetting, VictimShapes } from './setting.ts';
import { splitSlot } from './slots.ts';

/** Largest number of evaluations at once, in a prediction or in one step of a loop; bounds memory, for each keeps its activations. */
export const MAX_EXAMPLES = 256;

/** Number of examples of a complete, consistent batch of inputs. @throws RangeError naming the input. */
export function checkInputBatch(card: victim.Card, inputs: Tensors): number {
  let examples: number | undefined;
  for (const specification of card.inputs) {
    const tensor = inputs.get(specification.name);
    if (tensor === undefined) throw new RangeError(`input '${specification.name}' is missing`);
    const dims = exampleDims(specification);
    const [batch = 0, ...rest] = tensor.dims;
    if (rest.join() !== dims.join()) {
      throw new RangeError(
        `input '${specification.name}' is [${tensor.dims.join(', ')}]; it must be [batch, ${dims.join(', ')}]`,
      );
    }
    if (examples !== undefined && batch !== examples) {
      throw new RangeError(`input '${specification.name}' holds ${batch} examples, another input ${examples}`);
    }
    examples = batch;
  }
  const names = card.inputs.map(({ name }) => name);
  for (const name of inputs.keys()) {
    if (!names.includes(name))
      throw new RangeError(`'${name}' is no input of this victim; its inputs are ${names.join(', ')}`);
  }
  if (examples === undefined || examples < 1 || examples > MAX_EXAMPLES)
    throw new RangeError(`a batch holds 1 to ${MAX_EXAMPLES} examples, not ${examples ?? 0}`);
  return examples;
}

/** Throws RangeError unless every value of a tap is float32 [examples, ...], in the tap's shape. */
export function checkTapValues({ taps }: VictimShapes, values: Tensors, examples: number): void {
  for (const [name, { dims, data }] of values) {
    const expected = [examples, ...(taps.get(name) ?? [])].join(', ');
    if (!(data instanceof Float32Array) || dims.join(', ') !== expected)
      throw new RangeError(`the value of tap '${name}' is [${dims.join(', ')}]; it must be float32 [${expected}]`);
  }
}

/** Throws RangeError unless a loop may hold so many examples with so many samples each. */
export function checkLoopSize(examples: number, samples: number): void {
  const most = Math.floor(MAX_EXAMPLES / samples);
  if (examples < 1 || examples > most) {
    const among = samples === 1 ? '' : ` of ${samples} samples`;
    throw new RangeError(`a loop holds 1 to ${most} examples${among}, not ${examples}`);
  }
}

/** [examples, labels], 1 at the labels to act on. */
export function checkTargets({ dims }: { readonly dims: readonly number[] }, examples: number, labels: number): void {
  if (dims.join() !== [examples, labels].join())
    throw new RangeError(`targets are [${dims.join(', ')}]; they must be [${examples}, ${labels}]`);
}

/** Throws RangeError unless a batch is complete for a loop of these programs. */
export function checkLoopBatch(
  card: victim.Card,
  setting: EvaluationSetting,
  programs: readonly ShapedProgram[],
  batch: LoopBatch,
): void {
  const clips = checkInputBatch(card, batch.inputs);
  const examples = batch.exampleClips.length;
  checkLoopSize(examples, setting.samples?.count ?? 1);
  if (batch.exampleClips.some((clip) => !Number.isInteger(clip) || clip < 0 || clip >= clips))
    throw new RangeError(`an example names a clip outside the ${clips} uploaded`);
  checkTargets(batch.targets, examples, setting.labels);
  checkUploaded('data', programs, batch.data, (dims) => [examples, ...dims.slice(1)]);
  const keys = batch.noiseKeys?.length;
  if (keys !== undefined && keys !== examples)
    throw new RangeError(`there are ${keys} noise keys for ${examples} examples`);
  const reads = programs.flatMap(({ graph }) => graph.inputs.map(({ name }) => name));
  if (keys === undefined && reads.some((name) => name.startsWith('noise/')))
    throw new RangeError('a program reads noise, but the loop has no noise keys');
}

/** Throws RangeError unless every tensor of a family that programs read was uploaded, in the shape that they declare. */
export function checkUploaded(
  family: 'data' | 'const',
  programs: readonly ShapedProgram[],
  uploaded: Tensors | undefined,
  expected: (declared: readonly number[]) => readonly number[] = (dims) => dims,
): void {
  for (const { program, graph } of programs) {
    for (const { name: slot, dims = [] } of graph.inputs) {
      const [of, name] = splitSlot(slot);
      if (of !== family) continue;
      const tensor = uploaded?.get(name);
      if (tensor === undefined)
        throw new RangeError(`the ${program.role} program reads '${slot}', which was not given`);
      const sizes = expected(dims.map((size) => (typeof size === 'number' ? size : 0)));
      if (tensor.dims.join() !== sizes.join())
        throw new RangeError(
          `'${slot}' is [${tensor.dims.join(', ')}]; the ${program.role} program declares [${sizes.join(', ')}]`,
        );
    }
  }
}
