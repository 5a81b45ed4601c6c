import { elementCount, float32, type Tensor } from '@faultline/onnx';
import { float32Data, type Session, toOrt } from '@faultline/ort';
import type { VictimGraph } from '../build-victim.ts';

/** Irregular numbers in [-1, 1), the same everywhere: a fraction of multiples of the golden ratio, stirred. */
const irregular = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => {
    const turn = (index + 1 + 31 * seed) * 0.6180339887498949;
    return 2 * (((turn % 1) * 97.31) % 1) - 1;
  });

/** Values for all inputs of a victim: media as they are scaled, weights as they start, running statistics near 1. */
export function pointOf(victim: VictimGraph, batch: number): Map<string, Tensor> {
  const inits = new Map(victim.parameters.map(({ name, init }) => [name, init]));
  return new Map(
    victim.graph.inputs.map(({ name, dims = [] }, seed) => {
      const shape = dims.map((size) => (typeof size === 'number' ? size : batch));
      const noise = irregular(elementCount(shape), seed);
      const init = inits.get(name);
      const [centre, spread] = init === undefined ? mediaRange(name) : weightRange(init);
      return [
        name,
        float32(
          noise.map((value) => centre + spread * value),
          shape,
        ),
      ] as const;
    }),
  );
}

const mediaRange = (name: string): [number, number] => {
  if (name === 'frames') return [0.5, 0.5];
  if (name.endsWith('.variance')) return [1.5, 0.5];
  return [0, 0.5];
};

const weightRange = (init: VictimGraph['parameters'][number]['init']): [number, number] =>
  init.kind === 'constant' ? [init.value, 0.2] : [0, Math.sqrt(6 / init.fanIn)];

/**
 * The direction of the gradient, with as much of each tensor as the tensor itself has, and the slope along it: where part of a
 * gradient is wrong, the function rises less than that.
 */
export function alongGradient(
  point: ReadonlyMap<string, Tensor>,
  gradients: ReadonlyMap<string, Float32Array>,
  names: readonly string[],
): { readonly direction: ReadonlyMap<string, Float32Array>; readonly slope: number } {
  let slope = 0;
  const direction = new Map<string, Float32Array>();
  for (const name of names) {
    const gradient = gradients.get(`grad/${name}`) ?? new Float32Array();
    const steepness = rootMeanSquare(gradient);
    const size = steepness === 0 ? 0 : rootMeanSquare(floatsOf(point.get(name))) / steepness;
    direction.set(
      name,
      gradient.map((value) => value * size),
    );
    slope += size * steepness ** 2 * gradient.length;
  }
  return { direction, slope };
}

const rootMeanSquare = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

/** point + by x direction. */
export function moved(
  point: ReadonlyMap<string, Tensor>,
  direction: ReadonlyMap<string, Float32Array>,
  by: number,
): Map<string, Tensor> {
  return new Map(
    Array.from(point, ([name, tensor]) => {
      const along = direction.get(name);
      if (along === undefined) return [name, tensor] as const;
      return [
        name,
        float32(
          floatsOf(tensor).map((value, at) => value + by * (along[at] ?? 0)),
          tensor.dims,
        ),
      ] as const;
    }),
  );
}

export async function runAt(
  session: Session,
  point: ReadonlyMap<string, Tensor>,
  outputs: readonly string[],
): Promise<Map<string, Float32Array>> {
  const results = await session.run(
    Object.fromEntries(Array.from(point, ([name, value]) => [name, toOrt(value)])),
    outputs,
  );
  return new Map(Object.entries(results).map(([name, tensor]) => [name, float32Data(tensor)]));
}

export function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  throw new TypeError(`a tensor is ${tensor?.dataType ?? 'missing'}, not float32`);
}
