import { differentiate } from '@faultline/autodiff';
import { float32, type Graph, GraphBuilder, modelOf, prune } from '@faultline/onnx';
import { dryRun, float32Data, type OrtTensor, Session, type SessionOptions, toOrt } from '@faultline/ort';
import { type BudgetedInput, budgetedInputs, type ModalityBudgets, sizeOf } from './budgets.ts';
import { CounterRandom } from './counter-random.ts';
import { CLIP_LOSS } from './loss.ts';

export interface AdversaryOptions {
  readonly budgets: ModalityBudgets;
  readonly steps: number;
  /** Share of a batch that is attacked; the rest stays clean, which keeps clean accuracy. */
  readonly share: number;
}

export const ADVERSARY_DEFAULTS: Omit<AdversaryOptions, 'budgets'> = { steps: 3, share: 0.5 };

/** Step size x steps / epsilon: a little more than the radius, so that the far side of the ball can be reached. */
const REACH = 1.5;

const nextOf = (name: string): string => `next/${name}`;
const startOf = (name: string): string => `start/${name}`;
const epsilonOf = (name: string): string => `epsilon/${name}`;

/**
 * Projected gradient ascent on a victim in training (Madry et al., 2018): L-inf, both modalities at once, each with its budget,
 * with the weights and batch statistics of the moment. One session computes gradient and step; points stay in place between steps.
 */
export class Adversary implements AsyncDisposable {
  readonly #session: Session;
  readonly #inputs: readonly BudgetedInput[];
  readonly #options: AdversaryOptions;

  private constructor(session: Session, inputs: readonly BudgetedInput[], options: AdversaryOptions) {
    this.#session = session;
    this.#inputs = inputs;
    this.#options = options;
  }

  /** @param graph a training graph with its loss. @throws RangeError when an option is out of range. */
  static async create(graph: Graph, options: AdversaryOptions, session: SessionOptions = {}): Promise<Adversary> {
    const { steps, share } = options;
    if (!(Number.isInteger(steps) && steps >= 1))
      throw new RangeError(`adversarial steps are ${steps}; give at least 1`);
    if (!(share > 0 && share <= 1)) throw new RangeError(`the adversarial share is ${share}; give a number in (0, 1]`);
    const inputs = budgetedInputs(graph, options.budgets);
    const attack = await ascent(graph, inputs, steps);
    return new Adversary(await Session.create(modelOf(attack), session), inputs, options);
  }

  /**
   * Moves the first clips of a batch, as many as the share says, towards a higher loss; the others stay as they are.
   * @param feeds all that the training graph takes: weights, inputs, targets, masks
   * @param at what the random starts depend on
   * @returns the changed inputs by name.
   */
  async attack(
    feeds: Readonly<Record<string, OrtTensor>>,
    at: { readonly seed: number; readonly step: number; readonly size: number },
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    const attacked = Math.max(1, Math.round(this.#options.share * at.size));
    const fixed: Record<string, OrtTensor> = { ...feeds };
    let points: Record<string, OrtTensor> = {};
    for (const input of this.#inputs) {
      const clean = feeds[input.name];
      if (clean === undefined) throw new Error(`the batch has no '${input.name}'`);
      const each = sizeOf(input);
      const epsilons = Float32Array.from({ length: at.size }, (_, clip) => (clip < attacked ? input.epsilon : 0));
      fixed[startOf(input.name)] = clean;
      fixed[epsilonOf(input.name)] = tensorOf(epsilons, [at.size, ...input.dims.map(() => 1)]);
      const random = new CounterRandom(at.seed, `adversary/${at.step}/${input.name}`);
      const values = float32Data(clean).slice();
      for (let index = 0; index < attacked * each; index++) {
        const moved = (values[index] ?? 0) + input.epsilon * (2 * random.uniform(index) - 1);
        values[index] = Math.min(input.high, Math.max(input.low, moved));
      }
      points[input.name] = tensorOf(values, [at.size, ...input.dims]);
    }
    for (let step = 0; step < this.#options.steps; step++) {
      const results = await this.#session.run({ ...this.#known(fixed), ...points });
      points = Object.fromEntries(
        this.#inputs.map(({ name }) => {
          const next = results[nextOf(name)];
          if (next === undefined) throw new Error(`the adversary made no '${name}'`);
          return [name, next];
        }),
      );
    }
    return points;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  /** The runtime refuses feeds that a graph does not take. */
  #known(feeds: Readonly<Record<string, OrtTensor>>): Record<string, OrtTensor> {
    const names = new Set(this.#session.inputNames);
    return Object.fromEntries(Object.entries(feeds).filter(([name]) => names.has(name)));
  }
}

const tensorOf = (data: Float32Array, dims: readonly number[]): OrtTensor => toOrt(float32(data, dims));

/** Gradient of the clips' loss and one signed step, projected onto the ball and the range. */
async function ascent(graph: Graph, inputs: readonly BudgetedInput[], steps: number): Promise<Graph> {
  const loss = { name: CLIP_LOSS, dataType: 'float32' as const, dims: ['batch'] };
  const forward = prune({ ...graph, outputs: [loss] });
  const gradient = differentiate({
    graph: forward,
    types: await dryRun(forward),
    output: CLIP_LOSS,
    wrt: inputs.map(({ name }) => name),
  });
  const g = new GraphBuilder({ prefix: 'ascent/' });
  for (const { name, dims, low, high } of inputs) {
    const start = g.input(startOf(name), ['batch', ...dims]);
    const epsilon = g.input(epsilonOf(name), ['batch', ...dims.map(() => 1)]);
    const stride = g.times(epsilon, g.scalar(REACH / steps));
    const moved = g.plus(name, g.times(g.op('Sign', [`grad/${name}`]), stride));
    const near = g.op('Max', [g.op('Min', [moved, g.plus(start, epsilon)]), g.minus(start, epsilon)]);
    g.output(g.op('Clip', [near, g.scalar(low), g.scalar(high)]), ['batch', ...dims], 'float32', nextOf(name));
  }
  const step = g.graph();
  return prune({
    ...gradient,
    nodes: [...gradient.nodes, ...step.nodes],
    inputs: [...gradient.inputs, ...step.inputs],
    initializers: new Map([...gradient.initializers, ...step.initializers]),
    outputs: step.outputs,
  });
}
