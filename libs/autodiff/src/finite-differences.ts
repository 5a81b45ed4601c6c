import { type Graph, modelOf, type Tensor, type ValueType } from '@faultline/onnx';
import { dryRun, fromOrt, Session, toOrt } from '@faultline/ort';
import { differentiate } from './differentiate.ts';

/** Inputs by name. */
export type Point = ReadonlyMap<string, Tensor>;

const feedsOf = (point: Point) => Object.fromEntries([...point].map(([name, tensor]) => [name, toOrt(tensor)]));

/** The elements of a floating tensor as float64. */
export function float64Data(tensor: Tensor | undefined): Float64Array {
  if (tensor?.data instanceof Float64Array) return tensor.data;
  if (tensor?.data instanceof Float32Array) return Float64Array.from(tensor.data);
  throw new TypeError(`expected a floating tensor, got ${tensor?.dataType}`);
}

/** The gradients that `differentiate` yields at a point, by name, computed by the stock runtime. */
export async function gradientsAt(
  graph: Graph,
  output: string,
  wrt: readonly string[],
  point: Point,
  types?: ReadonlyMap<string, ValueType>,
): Promise<Map<string, Tensor>> {
  const differentiated = differentiate({ graph, types: types ?? (await dryRun(graph)), output, wrt });
  // Graph fusion beyond 'basic' makes float32-only kernels.
  await using session = await Session.create(modelOf(differentiated), { optimization: 'basic' });
  const results = await session.run(
    feedsOf(point),
    wrt.map((name) => `grad/${name}`),
  );
  return new Map(Object.entries(results).map(([name, tensor]) => [name.slice('grad/'.length), fromOrt(tensor)]));
}

/** Central differences, with the given step, of the sum of `output` with respect to each element of the inputs named. */
export async function centralDifferences(
  graph: Graph,
  output: string,
  wrt: readonly string[],
  point: Point,
  step: number,
): Promise<Map<string, Float64Array>> {
  const outputs = graph.outputs.filter(({ name }) => name === output);
  await using session = await Session.create(modelOf({ ...graph, outputs }), { optimization: 'basic' });
  const sumAt = async (at: Point) => {
    const result = (await session.run(feedsOf(at)))[output];
    if (result === undefined) throw new Error(`no value '${output}'`);
    return float64Data(fromOrt(result)).reduce((sum, value) => sum + value, 0);
  };
  const found = new Map<string, Float64Array>();
  for (const name of wrt) {
    const at = point.get(name);
    if (at === undefined) throw new Error(`no input '${name}'`);
    const base = at.data;
    const slopes = new Float64Array(base.length);
    for (let i = 0; i < base.length; i++) {
      const moved = async (by: number) => {
        if (!(base instanceof Float32Array || base instanceof Float64Array))
          throw new TypeError(`'${name}' is not floating`);
        const data = base.slice();
        data[i] = (data[i] ?? 0) + by;
        return sumAt(new Map(point).set(name, { ...at, data }));
      };
      slopes[i] = ((await moved(step)) - (await moved(-step))) / (2 * step);
    }
    found.set(name, slopes);
  }
  return found;
}
