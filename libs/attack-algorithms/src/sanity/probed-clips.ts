import { type DenseTensor, elementCount, type victim } from '@faultline/contracts';
import type { Cost, DifferentiateRequest, Tensors, Victim } from '@faultline/victim';
import { deactivationObjective } from '../deactivation.ts';
import type { DirectionNorm, MovingVariable } from './steepest-point.ts';

/** Of the smooth margin, in units of the logit scale: low enough that the smooth margin is the margin where one label leads. */
const TEMPERATURE = 0.1;

/** Clips, what an attack may do to them, and the goal: all true labels below their thresholds. */
export interface ProbedClips {
  /** Every input of the victim, [clips, ...]; frames may be uint8 (divided by 255). */
  readonly inputs: Tensors;
  /** float32 [clips, labels], 1 at the true labels. */
  readonly targets: DenseTensor<Float32Array>;
  readonly variables: readonly MovingVariable[];
  readonly norm: DirectionNorm;
  /** Gradients of these are asked for together, the attacked ones among them: services compile each choice anew. Default: those attacked. */
  readonly differentiated?: readonly string[] | undefined;
}

/** A point of the attacked variables, one clip's, by variable. */
export type Point = ReadonlyMap<string, Float32Array>;

/** Gradients of the margin at points, and the margins there. */
export interface MarginGradients {
  readonly margins: readonly number[];
  /** One a clip. */
  readonly gradients: readonly Point[];
}

/** Asks a victim about points of clips, and counts what that costs. */
export class Questions {
  readonly #victim: Victim;
  readonly #clips: ProbedClips;
  readonly #signal: AbortSignal | undefined;
  #known: victim.Card | undefined;
  #forward = 0;
  #gradient = 0;

  constructor(victim: Victim, clips: ProbedClips, signal?: AbortSignal) {
    this.#victim = victim;
    this.#clips = clips;
    this.#signal = signal;
  }

  get cost(): Cost {
    return { forwardExamples: this.#forward, gradientExamples: this.#gradient };
  }

  /** The clean points. */
  get clean(): Point[] {
    const { targets, variables } = this.#clips;
    const clips = targets.dims[0] ?? 0;
    return Array.from(
      { length: clips },
      (_, clip) => new Map(variables.map(({ name }) => [name, this.#row(name, clip)])),
    );
  }

  /** max over the true labels of z - t, by a fresh prediction; one for each of these clips' points. */
  async margins(rows: readonly number[], points: readonly Point[]): Promise<number[]> {
    if (rows.length === 0) return [];
    const { logits, cost } = await this.#victim.predict(this.#batch(rows, points), { signal: this.#signal });
    this.#forward += cost.forwardExamples;
    return this.#marginsOf(rows, logits.data, await this.#card());
  }

  /** The margin's gradients at points. */
  gradients(rows: readonly number[], points: readonly Point[]): Promise<MarginGradients> {
    return this.#differentiate(rows, points, { objective: 'margin' });
  }

  /** Those of the smooth margin: where several labels are level, their gradients are mixed. */
  async smoothGradients(
    rows: readonly number[],
    points: readonly Point[],
    estimate: Pick<DifferentiateRequest, 'straightThrough'> = {},
  ): Promise<MarginGradients> {
    const { labels, logitScale } = await this.#card();
    const thresholds = Float32Array.from(labels, ({ threshold }) => threshold);
    return this.#differentiate(rows, points, {
      ...estimate,
      objective: deactivationObjective(labels.length),
      constants: new Map([['thresholds', { dims: [labels.length], data: thresholds }]]),
      parameters: { temperature: new Float32Array(rows.length).fill(TEMPERATURE * logitScale) },
    });
  }

  async #differentiate(
    rows: readonly number[],
    points: readonly Point[],
    loss: Pick<DifferentiateRequest, 'objective' | 'constants' | 'parameters' | 'straightThrough'>,
  ): Promise<MarginGradients> {
    if (rows.length === 0) return { margins: [], gradients: [] };
    const { targets, variables, differentiated = variables.map(({ name }) => name) } = this.#clips;
    const labels = targets.dims[1] ?? 0;
    const data = new Float32Array(rows.length * labels);
    for (const [row, clip] of rows.entries()) {
      data.set(targets.data.subarray(clip * labels, (clip + 1) * labels), row * labels);
    }
    const found = await this.#victim.differentiate(
      {
        inputs: this.#batch(rows, points),
        targets: { dims: [rows.length, labels], data },
        variables: differentiated,
        ...loss,
      },
      { signal: this.#signal },
    );
    this.#forward += found.cost.forwardExamples;
    this.#gradient += found.cost.gradientExamples;
    const gradients = rows.map(
      (_, row): Point =>
        new Map(
          variables.flatMap(({ name }) => {
            const tensor = found.gradients.get(name);
            return tensor === undefined ? [] : [[name, rowOf(tensor, row)] as const];
          }),
        ),
    );
    return { margins: this.#marginsOf(rows, found.logits.data, await this.#card()), gradients };
  }

  async #card(): Promise<victim.Card> {
    this.#known ??= (await this.#victim.describe({ signal: this.#signal })).card;
    return this.#known;
  }

  #marginsOf(rows: readonly number[], logits: Float32Array, card: victim.Card): number[] {
    const { targets } = this.#clips;
    const thresholds = card.labels.map(({ threshold }) => threshold);
    const labels = thresholds.length;
    return rows.map((clip, row) =>
      thresholds.reduce(
        (margin, threshold, label) =>
          targets.data[clip * labels + label] === 1
            ? Math.max(margin, (logits[row * labels + label] ?? Number.NaN) - threshold)
            : margin,
        Number.NEGATIVE_INFINITY,
      ),
    );
  }

  #row(name: string, clip: number): Float32Array {
    return rowOf(this.#tensor(name), clip);
  }

  #tensor(name: string): DenseTensor {
    const tensor = this.#clips.inputs.get(name);
    if (tensor === undefined) throw new RangeError(`the clips have no input '${name}'`);
    return tensor;
  }

  /** Points of these clips with the clean values of what is not attacked. */
  #batch(rows: readonly number[], points: readonly Point[]): Tensors {
    return new Map(
      Array.from(this.#clips.inputs, ([name, { dims }]) => {
        const each = elementCount(dims.slice(1));
        const data = new Float32Array(rows.length * each);
        for (const [row, clip] of rows.entries()) data.set(points[row]?.get(name) ?? this.#row(name, clip), row * each);
        return [name, { dims: [rows.length, ...dims.slice(1)], data }];
      }),
    );
  }
}

/** One example's values as numbers. */
function rowOf({ dims, data }: DenseTensor, row: number): Float32Array {
  const each = elementCount(dims.slice(1));
  if (data instanceof Uint8Array) {
    return Float32Array.from(data.subarray(row * each, (row + 1) * each), (value) => value / 255);
  }
  if (data instanceof Float32Array) return data.subarray(row * each, (row + 1) * each);
  throw new TypeError('inputs are float32 or uint8');
}
