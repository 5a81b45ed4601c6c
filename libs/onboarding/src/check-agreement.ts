import { encodeModel, type Graph, type Model, modelOf, type ValueInfo } from '@faultline/onnx';
import { float32Data, OrtTensor, Session } from '@faultline/ort';
import type { Tensors } from '@faultline/victim';
import { MODEL_PREFIX } from '@faultline/victim-local';

/** Examples that are predicted together and one by one. */
export const COMPARED_EXAMPLES = 3;

/** How far two ways of computing the same lie apart, in parts of the largest value. */
export interface Agreement {
  /** The victim's graph against the file as it is, each run on one example. */
  readonly withFile: number;
  /** A batch against its examples one by one. */
  readonly acrossBatch: number;
}

const output = (name: string): ValueInfo => ({ name, dataType: 'unknown', dims: undefined });

const rowOf = (inputs: Tensors, example: number) =>
  Object.fromEntries(
    Array.from(inputs, ([name, { dims, data }]) => {
      const size = dims.slice(1).reduce((product, axis) => product * axis, 1);
      const row = Float32Array.from(data.subarray(example * size, (example + 1) * size) as Float32Array);
      return [name, new OrtTensor('float32', row, [1, ...dims.slice(1)])];
    }),
  );

/** The runtime takes an input in the type that it declares; the front end always hands on numbers. */
function asDeclared(tensor: OrtTensor, { dataType }: ValueInfo): OrtTensor {
  if (tensor.type !== 'float32' || dataType !== 'uint8') return tensor;
  return new OrtTensor('uint8', Uint8Array.from(float32Data(tensor), Math.round), tensor.dims);
}

/**
 * Runs the file as it is behind the front end, and compares.
 * @param body front end and model composed, with the model's outputs
 */
export async function checkAgreement(
  file: Model,
  frontEnd: Graph | undefined,
  body: Graph,
  name: string,
  inputs: Tensors,
): Promise<Agreement> {
  await using plain = await Session.create(encodeModel(file), { optimization: 'basic' });
  await using front = frontEnd && (await Session.create(modelOf(frontEnd)));
  await using whole = await Session.create(modelOf({ ...body, outputs: [output(name)] }));
  const batch = Object.fromEntries(
    Array.from(inputs, ([input, { dims, data }]) => [input, new OrtTensor('float32', data as Float32Array, dims)]),
  );
  const value = (tensors: Record<string, OrtTensor>) => {
    const tensor = tensors[name];
    if (tensor === undefined) throw new RangeError(`the model gave no '${name}'`);
    return float32Data(tensor);
  };
  const together = value(await whole.run(batch));
  const size = together.length / COMPARED_EXAMPLES;
  let [withFile, acrossBatch, largest] = [0, 0, 0];
  for (let example = 0; example < COMPARED_EXAMPLES; example++) {
    const row = rowOf(inputs, example);
    const alone = value(await whole.run(row));
    const fed = front === undefined ? row : await front.run(row);
    const own = Object.fromEntries(
      file.graph.inputs.flatMap((info) => {
        const tensor = fed[front === undefined ? info.name : `${MODEL_PREFIX}${info.name}`];
        return tensor === undefined ? [] : [[info.name, asDeclared(tensor, info)]];
      }),
    );
    const original = value(await plain.run(own, [name]));
    for (let i = 0; i < size; i++) {
      const here = alone[i] ?? Number.NaN;
      largest = Math.max(largest, Math.abs(here));
      withFile = Math.max(withFile, Math.abs(here - (original[i] ?? Number.NaN)));
      acrossBatch = Math.max(acrossBatch, Math.abs(here - (together[example * size + i] ?? Number.NaN)));
    }
  }
  const unit = Math.max(largest, Number.EPSILON);
  return { withFile: withFile / unit, acrossBatch: acrossBatch / unit };
}
