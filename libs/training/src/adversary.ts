import { differentiate } from '@faultline/autodiff';
import { float32, type Graph, GraphBuilder, modelOf, prune } from '@faultline/onnx';
import { dryRun, float32Data, type OrtTensor, Session, type SessionOptions, toOrt } from '@faultline/ort';
import { type BudgetedInput, budgetedInputs, type ModalityBudgets } from './budgets.ts';
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

/**
 * Projected gradient ascent on a victim in training (Madry et al., 2018): L-inf, both modalities at once, each with its budget,
 * with the weights of the moment and the batch statistics of the attacked clips, the only ones that are computed. One session
 * computes gradient and step; points stay in place between steps.
 */
export class Adversary implements AsyncDisposable {
  readonly #session: Session;
  readonly #inputs: readonly BudgetedInput[];
  readonly #options: AdversaryOptions;
  /** Inputs that have a row for each clip. */
  readonly #perClip: ReadonlySet<string>;

  private constructor(session: Session, graph: Graph, inputs: readonly BudgetedInput[], options: AdversaryOptions) {
    this.#session = session;
    this.#inputs = inputs;
    this.#options = options;
    this.#perClip = new Set(graph.inputs.filter(({ dims }) => dims?.[0] === 'batch').map(({ name }) => name));
  }

  /** @param graph a training graph with its loss. @throws RangeError when an option is out of range. */
  static async create(graph: Graph, options: AdversaryOptions, session: SessionOptions = {}): Promise<Adversary> {
    const { steps, share } = options;
    if (!(Number.isInteger(steps) && steps >= 1))
      throw new RangeError(`adversarial steps are ${steps}; give at least 1`);
    if (!(share > 0 && share <= 1)) throw new RangeError(`the adversarial share is ${share}; give a number in (0, 1]`);
    const inputs = budgetedInputs(graph, options.budgets);
    const attack = await ascent(graph, inputs, steps);
    return new Adversary(await Session.create(modelOf(attack), session), graph, inputs, options);
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
    const fixed = this.#firstClips(feeds, attacked);
    let points: Record<string, OrtTensor> = {};
    for (const input of this.#inputs) {
      const clean = tensorAt(fixed, input.name);
      fixed[startOf(input.name)] = clean;
      points[input.name] = randomStart(input, clean, new CounterRandom(at.seed, `adversary/${at.step}/${input.name}`));
    }
    for (let step = 0; step < this.#options.steps; step++) {
      const results = await this.#session.run({ ...fixed, ...points });
      points = Object.fromEntries(this.#inputs.map(({ name }) => [name, tensorAt(results, nextOf(name))]));
    }
    return Object.fromEntries(
      this.#inputs.map(({ name }) => {
        const clean = tensorAt(feeds, name);
        const values = float32Data(clean).slice();
        values.set(float32Data(tensorAt(points, name)));
        return [name, toOrt(float32(values, clean.dims))];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }

  /** What the session takes, with the first rows alone of what has a row for each clip. */
  #firstClips(feeds: Readonly<Record<string, OrtTensor>>, count: number): Record<string, OrtTensor> {
    const taken = this.#session.inputNames.filter((name) => name in feeds);
    return Object.fromEntries(
      taken.map((name) => {
        const feed = tensorAt(feeds, name);
        if (!this.#perClip.has(name)) return [name, feed];
        const [size = 1, ...dims] = feed.dims;
        const values = float32Data(feed);
        return [name, toOrt(float32(values.subarray(0, (count * values.length) / size), [count, ...dims]))];
      }),
    );
  }
}

function tensorAt(values: Readonly<Record<string, OrtTensor>>, name: string): OrtTensor {
  const value = values[name];
  if (value === undefined) throw new Error(`the adversary has no value '${name}'`);
  return value;
}

/** Uniform in the ball, within the range. */
function randomStart({ epsilon, low, high }: BudgetedInput, clean: OrtTensor, random: CounterRandom): OrtTensor {
  const from = float32Data(clean);
  const values = new Float32Array(from.length);
  random.fillSigned(values);
  for (let at = 0; at < values.length; at++) {
    values[at] = Math.min(high, Math.max(low, (from[at] ?? 0) + epsilon * (values[at] ?? 0)));
  }
  return toOrt(float32(values, clean.dims));
}

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
  for (const { name, dims, epsilon, low, high } of inputs) {
    const start = g.input(startOf(name), ['batch', ...dims]);
    const moved = g.plus(name, g.times(g.op('Sign', [`grad/${name}`]), g.scalar((REACH * epsilon) / steps)));
    const radius = g.scalar(epsilon);
    const near = g.op('Max', [g.op('Min', [moved, g.plus(start, radius)]), g.minus(start, radius)]);
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
