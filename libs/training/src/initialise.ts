import type { Parameter } from '@faultline/fusion';
import { elementCount, float32, type Tensor } from '@faultline/onnx';
import { CounterRandom } from './counter-random.ts';

/** First values of all parameters, by name: a pure function of the seed and the parameters' names and shapes. */
export function initialise(parameters: readonly Parameter[], seed: number): Map<string, Tensor> {
  return new Map(parameters.map((parameter) => [parameter.name, initialTensor(parameter, seed)]));
}

function initialTensor({ name, shape, init }: Parameter, seed: number): Tensor {
  const values = new Float32Array(elementCount(shape));
  if (init.kind === 'constant') return float32(values.fill(init.value), shape);
  const random = new CounterRandom(seed, name);
  const deviation = Math.sqrt(2 / init.fanIn);
  return float32(
    values.map((_, index) => deviation * random.normal(index)),
    shape,
  );
}
