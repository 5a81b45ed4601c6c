import { type DataType, type Graph, OnnxError, type Tensor, type ValueInfo, type ValueType } from '@faultline/onnx';
import { differentiate } from '../differentiate.ts';
import { inspect } from '../inspect.ts';
import { type Direction, directionsOf, rootMeanSquare } from './directions.ts';
import { type Difference, type Judgement, judge, type Outcome, relativeError } from './judgement.ts';

/** A graph that is ready to be computed. */
export interface OpenGraph extends AsyncDisposable {
  /** The outputs named, for these inputs. */
  run(inputs: ReadonlyMap<string, Tensor>, outputs: readonly string[]): Promise<ReadonlyMap<string, Tensor>>;
}

export interface GradcheckOptions {
  readonly graph: Graph;
  /** Types of all values of the graph, as a dry run finds them. */
  readonly types: ReadonlyMap<string, ValueType>;
  /** The value whose sum is differentiated. */
  readonly output: string;
  /** Inputs or initializers whose gradients are checked. */
  readonly wrt: readonly string[];
  /** All inputs of the graph; initializers keep their elements unless given here. */
  readonly point: ReadonlyMap<string, Tensor>;
  /** Readies a graph for computation: this library runs none. */
  readonly open: (graph: Graph) => Promise<OpenGraph>;
  /** Directions for each variable, 3 or more; default 5. */
  readonly directions?: number;
  /** Steps in units of the variable's root mean square, largest first; default three a decade from 0.1 down. */
  readonly steps?: readonly number[];
  /** Largest relative error; default 1e-2 in float32, 1e-5 in float64. */
  readonly tolerance?: number;
  readonly seed?: number;
}

export interface CheckedDirection extends Judgement {
  /** 'gradient', 'gradient, half the elements' or 'random'. */
  readonly direction: string;
  /** The gradient along the direction. */
  readonly derivative: number;
  readonly differences: readonly Difference[];
}

export interface CheckedVariable {
  readonly name: string;
  readonly outcome: Outcome;
  /** Euclidean length of the gradient. */
  readonly gradientNorm: number;
  readonly directions: readonly CheckedDirection[];
}

export interface GradcheckReport {
  /** 'agrees' when every direction that says anything agrees, and at least one of each variable does. */
  readonly outcome: Outcome;
  readonly tolerance: number;
  /** Largest relative error among the directions that agree or disagree. */
  readonly worst: number;
  readonly variables: readonly CheckedVariable[];
  /** Operators whose gradient is estimated straight through: differences do not agree with estimates, and need not. */
  readonly estimates: readonly string[];
}

/** In units of the variable's root mean square. Small steps drown in rounding, large ones in curvature. */
const STEPS: Readonly<Record<'float32' | 'float64', readonly number[]>> = {
  float32: [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4],
  float64: [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7],
};

const TOLERANCES: Readonly<Record<'float32' | 'float64', number>> = { float32: 1e-2, float64: 1e-5 };

/** Points at which the derivative is integrated along a line that crosses kinks. */
const MIDPOINTS = 16;

const DIRECTIONS = 5;

/** A derivative below this share of the gradient's length is as good as 0 in float32. */
const NEGLIGIBLE = 1e-5;

function floats(tensor: Tensor | undefined, name: string): Float32Array | Float64Array {
  if (tensor?.data instanceof Float32Array || tensor?.data instanceof Float64Array) return tensor.data;
  throw new OnnxError(`'${name}' is ${tensor?.dataType ?? 'not given'}; gradients are of float32 or float64`);
}

/** Initializers that are to be moved become inputs. */
function withInputs(graph: Graph, wrt: readonly string[]): Graph {
  const known = new Set(graph.inputs.map(({ name }) => name));
  const added = wrt.flatMap((name): ValueInfo[] => {
    const tensor = graph.initializers.get(name);
    return tensor === undefined || known.has(name) ? [] : [{ name, dataType: tensor.dataType, dims: tensor.dims }];
  });
  const initializers = new Map([...graph.initializers].filter(([name]) => !added.some((info) => info.name === name)));
  return { ...graph, inputs: [...graph.inputs, ...added], initializers };
}

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};

/** The function and its gradient along a line through the point. */
interface Line {
  valueAt(at: number): Promise<number>;
  derivativeAt(at: number): Promise<number>;
}

async function checkDirection(
  line: Line,
  direction: Direction,
  derivative: number,
  options: { readonly steps: readonly number[]; readonly tolerance: number; readonly scale: number },
): Promise<CheckedDirection> {
  const { steps, tolerance, scale } = options;
  const middle = await line.valueAt(0);
  const differences: Difference[] = [];
  for (const step of steps) {
    const [after, before] = [await line.valueAt(step), await line.valueAt(-step)];
    differences.push({
      step,
      central: (after - before) / (2 * step),
      forward: (after - middle) / step,
      backward: (middle - before) / step,
    });
  }
  const judgement = judge(derivative, differences, tolerance, scale);
  const found = { direction: direction.name, derivative, differences };
  if (judgement.outcome === 'agrees') return { ...found, ...judgement };
  // Kinks on the way: whatever their number, the derivative's integral is the function's change. Long steps first.
  for (const { step, central } of differences.filter(({ central }) => Number.isFinite(central)).slice(0, 3)) {
    let sum = 0;
    for (let i = 0; i < MIDPOINTS; i++) sum += await line.derivativeAt(step * ((2 * i + 1) / MIDPOINTS - 1));
    const mean = sum / MIDPOINTS;
    const error = Math.abs(mean - central);
    if (error > tolerance * Math.max(Math.abs(mean), Math.abs(central), scale)) continue;
    const evidence = 'integral of the derivative';
    return {
      ...found,
      ...judgement,
      outcome: 'agrees',
      evidence,
      numeric: central,
      step,
      relativeError: relativeError(mean, central),
    };
  }
  if (judgement.outcome === 'disagrees' && (await isRestless(line, derivative, steps, judgement)))
    return { ...found, ...judgement, outcome: 'inconclusive' };
  return { ...found, ...judgement };
}

/** Whether the derivative changes within the smallest step by about as much as it is off: then no difference can tell. */
async function isRestless(line: Line, derivative: number, steps: readonly number[], { numeric }: Judgement) {
  const nearest = steps.at(-1) ?? 0;
  const around = [await line.derivativeAt(nearest), await line.derivativeAt(-nearest)];
  return around.some((near) => Math.abs(near - derivative) > Math.abs(numeric - derivative) / 4);
}

/** The least of several outcomes; one that says nothing does not weigh against one that agrees. */
function overall(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('disagrees')) return 'disagrees';
  return outcomes.includes('agrees') ? 'agrees' : 'inconclusive';
}

/**
 * Compares the gradient with what the function does: derivatives along several directions for each variable against central
 * differences at several steps. The step is chosen by how steady the differences are, not by how well they agree. Kinks of
 * the function (Relu, maxima) are met by comparing the function's change along the line with the integral of its derivative.
 * @throws MissingRuleError, OnnxError as `differentiate` does, and when an input is missing from the point.
 */
export async function gradcheck(options: GradcheckOptions): Promise<GradcheckReport> {
  const { types, output, wrt, open, seed = 1 } = options;
  const graph = withInputs(options.graph, wrt);
  const point = new Map(
    graph.inputs.map(({ name }): [string, Tensor] => {
      const given = options.point.get(name) ?? options.graph.initializers.get(name);
      if (given === undefined) throw new OnnxError(`point: the input '${name}' is missing`);
      return [name, given];
    }),
  );
  const isDouble = (name: string) => point.get(name)?.dataType === ('float64' satisfies DataType);
  const precision = wrt.every(isDouble) ? 'float64' : 'float32';
  const tolerance = options.tolerance ?? TOLERANCES[precision];
  const gradName = (name: string) => `gradcheck/${name}`;
  const { nodes } = inspect({ graph, types, output, wrt });
  const estimates = nodes.flatMap(({ node, treatment }) => (treatment === 'straight-through' ? [node.op] : []));

  const forward: Graph = { ...graph, outputs: [{ name: output, dataType: 'unknown', dims: undefined }] };
  await using primal = await open(forward);
  await using adjoint = await open(differentiate({ graph: forward, types, output, wrt, gradName }));
  const sumOf = (values: ReadonlyMap<string, Tensor>) =>
    Float64Array.from(floats(values.get(output), output)).reduce((sum, value) => sum + value, 0);
  const gradients = await adjoint.run(point, wrt.map(gradName));

  const variables: CheckedVariable[] = [];
  for (const [index, name] of wrt.entries()) {
    const given = point.get(name);
    const base = floats(given, name);
    if (given === undefined) continue;
    const gradient = Float64Array.from(floats(gradients.get(gradName(name)), gradName(name)));
    const unit = rootMeanSquare(base) || 1;
    const steps = (options.steps ?? STEPS[precision]).map((step) => step * unit);
    const gradientNorm = Math.sqrt(dot(gradient, gradient));
    const directions: CheckedDirection[] = [];
    for (const direction of directionsOf(gradient, options.directions ?? DIRECTIONS, seed + index)) {
      const moved = (at: number) => {
        const data = base.slice();
        for (let i = 0; i < data.length; i++) data[i] = (base[i] ?? 0) + at * (direction.values[i] ?? 0);
        return new Map(point).set(name, { ...given, data });
      };
      const line: Line = {
        valueAt: async (at) => sumOf(await primal.run(moved(at), [output])),
        derivativeAt: async (at) => {
          const there = (await adjoint.run(moved(at), [gradName(name)])).get(gradName(name));
          return dot(floats(there, name), direction.values);
        },
      };
      // Both vectors have known lengths: what is tiny beside their product is rounding.
      const scale = NEGLIGIBLE * gradientNorm * Math.sqrt(gradient.length);
      directions.push(
        await checkDirection(line, direction, dot(gradient, direction.values), { steps, tolerance, scale }),
      );
    }
    variables.push({ name, outcome: overall(directions.map(({ outcome }) => outcome)), gradientNorm, directions });
  }
  const conclusive = variables.flatMap(({ directions }) => directions.filter((one) => one.outcome !== 'inconclusive'));
  const outcomes = variables.map(({ outcome }) => outcome);
  return {
    outcome: outcomes.includes('disagrees')
      ? 'disagrees'
      : outcomes.includes('inconclusive')
        ? 'inconclusive'
        : 'agrees',
    tolerance,
    worst: Math.max(0, ...conclusive.map((one) => one.relativeError)),
    variables,
    estimates: [...new Set(estimates)],
  };
}
