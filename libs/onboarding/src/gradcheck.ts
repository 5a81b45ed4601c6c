import {
  gradcheck as compareGradients,
  type GradcheckReport,
  inspect,
  type OpenGraph,
  type Verdict,
} from '@faultline/autodiff';
import {
  float32,
  type Graph,
  GraphBuilder,
  int,
  joinGraphs,
  modelOf,
  type Tensor,
  type ValueType,
} from '@faultline/onnx';
import { fromOrt, Session, settleBranches, toOrt } from '@faultline/ort';
import { sampleMaker } from './inspect-model.ts';
import { OnboardingError } from './onboarding-error.ts';
import { type LookOptions, lookAt } from './plain-model.ts';
import { seededUniform } from './sample-inputs.ts';

export interface GradcheckOptions extends LookOptions {
  /** Seeds of the points that are compared; default: two. */
  readonly points?: readonly number[];
  /** Directions at each point for each variable; default 5, 3 at least. */
  readonly directions?: number;
}

const POINTS = [1, 2];

/**
 * Steps in units of the input's root mean square: down to where single precision ends, for detectors that divide by loudness bend sharply.
 * Long steps are left out: far from the point such functions are flat, which looks like a steady difference.
 */
const STEPS = [1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6];

export interface ModelGradcheck {
  /** Outputs whose weighted sum is differentiated. */
  readonly outputs: readonly string[];
  /** One a point. Inputs without a gradient are not in it. */
  readonly points: readonly GradcheckReport[];
  /** Inputs that no gradient reaches or that one cannot be computed for, and why. */
  readonly without: readonly { readonly input: string; readonly reason: string }[];
  readonly verdict: Verdict;
  /** 'agrees': every input with a gradient does, at every point, and there is one. */
  readonly outcome: GradcheckReport['outcome'] | 'no gradient';
  /** Largest relative error that counts. */
  readonly worst: number;
}

const LOSS = 'gradcheck/loss';

const sizesOf = (type: ValueType | undefined) =>
  (type?.dims ?? []).map((size) => (typeof size === 'number' ? size : size.batch));

/** The graph with the sum of its outputs, each element weighted from a seed: no part of a wrong gradient cancels out. */
function withLoss(graph: Graph, outputs: readonly string[], types: ReadonlyMap<string, ValueType>): Graph {
  const random = seededUniform(7);
  const b = new GraphBuilder({ prefix: 'gradcheck/' });
  const sums = outputs.map((name) => {
    const dims = sizesOf(types.get(name));
    const count = dims.reduce((product, size) => product * size, 1);
    const weights = Array.from({ length: count }, () => 2 * random() - 1);
    const weighted = b.times(b.input(name, dims), b.constant(float32(weights, dims)));
    return b.op('ReduceSum', [weighted], { keepdims: int(0) });
  });
  b.output(sums.length === 1 ? (sums[0] ?? '') : b.op('Sum', sums), [], 'float32', LOSS);
  return joinGraphs([graph, b.graph()], [{ name: LOSS, dataType: 'float32', dims: [] }]);
}

async function open(graph: Graph): Promise<OpenGraph> {
  const session = await Session.create(modelOf(graph), { optimization: 'basic' });
  return {
    run: async (inputs, outputs) => {
      const needed = [...inputs].filter(([name]) => session.inputNames.includes(name));
      const feeds = Object.fromEntries(needed.map(([name, tensor]) => [name, toOrt(tensor)]));
      const results = await session.run(feeds, outputs);
      return new Map(Object.entries(results).map(([name, tensor]): [string, Tensor] => [name, fromOrt(tensor)]));
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/**
 * Compares the gradients that this project computes with central differences of what the runtime computes, at seeded points.
 * @throws OnboardingError when the model does not run at the sizes given.
 */
export async function gradcheckModel(target: string, options: GradcheckOptions = {}): Promise<ModelGradcheck> {
  const looked = await lookAt(target, options);
  const maker = sampleMaker(looked);
  const { graph, types } = await settleBranches(looked.graph, maker).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OnboardingError(
      `the model does not run on sample inputs (${reason}); give its sizes with --shape INPUT=1x... and fixed inputs with --value INPUT=NUMBER`,
      { cause },
    );
  });
  const outputs = looked.outputs.filter((name) => types.get(name)?.dataType === 'float32');
  const whole = await settleBranches(withLoss(graph, outputs, types), maker);
  const { variables, verdict } = inspect({ ...whole, output: LOSS, wrt: looked.variables });
  const without = variables
    .filter((one) => one.verdict === 'black-box only')
    .map(({ name, reason = '' }) => ({ input: name, reason }));
  const wrt = looked.variables.filter((name) => !without.some(({ input }) => input === name));
  const points: GradcheckReport[] = [];
  for (const seed of wrt.length === 0 ? [] : (options.points ?? POINTS)) {
    const { directions } = options;
    const where = { output: LOSS, wrt, point: looked.sample(seed), open, seed, steps: STEPS };
    points.push(await compareGradients({ ...whole, ...where, ...(directions === undefined ? {} : { directions }) }));
  }
  const outcomes = points.map(({ outcome }) => outcome);
  const outcome =
    points.length === 0
      ? 'no gradient'
      : (outcomes.find((one) => one === 'disagrees') ?? outcomes.find((one) => one === 'inconclusive') ?? 'agrees');
  return { outputs, points, without, verdict, outcome, worst: Math.max(0, ...points.map(({ worst }) => worst)) };
}
