import type { DenseTensor, victim } from '@faultline/contracts';
import { exampleDims, valueRange } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import type { NormName } from '../attack.ts';
import type { LinearProblem, LinearVariable } from './linear-optimum.ts';
import { normal, randomNumbers } from './random.ts';

const LABELS = ['dog', 'bird', 'horse'];
const SAMPLES = 800;
/** [frames, channels, height, width] */
const FRAME_DIMS = [2, 3, 12, 10] as const;

/** Spread of the weights: the waveform's range is twice the frames', its weights are smaller. */
const WAVEFORM_WEIGHTS = 0.05;
const FRAME_WEIGHTS = 0.1;

/** About the spread of the logits over random clips. */
const LOGIT_SCALE = 2;

const sizeOf = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

/** A victim whose logits are W x + b over two inputs of different range, 800 + 720 coordinates. */
export class LinearVictim implements AsyncDisposable {
  readonly victim: LocalVictim;
  readonly card: victim.Card;
  /** By input: [coordinates x labels], as the graph holds them. */
  readonly weights: ReadonlyMap<string, Float32Array>;
  readonly bias: Float32Array;

  private constructor(
    local: LocalVictim,
    card: victim.Card,
    weights: ReadonlyMap<string, Float32Array>,
    bias: Float32Array,
  ) {
    this.victim = local;
    this.card = card;
    this.weights = weights;
    this.bias = bias;
  }

  static async create(seed: number): Promise<LinearVictim> {
    const random = randomNumbers(seed);
    const spread = (size: number, scale: number) =>
      Float32Array.from({ length: size * LABELS.length }, () => scale * normal(random));
    const bias = Float32Array.from(LABELS, () => normal(random));
    const waveform = spread(SAMPLES, WAVEFORM_WEIGHTS);
    const frames = spread(sizeOf(FRAME_DIMS), FRAME_WEIGHTS);
    const [count, , height, width] = FRAME_DIMS;
    const { model, card: plain } = linearVictim({ waveform, frames, bias, frameDims: [count, height, width] });
    const labels = LABELS.map((label, index) => ({ label, threshold: 0.1 * index }));
    const card: victim.Card = { ...plain, labels, logitScale: LOGIT_SCALE };
    const weights = new Map(Object.entries({ waveform, frames }));
    return new LinearVictim(await LocalVictim.load({ model, card }), card, weights, bias);
  }

  /**
   * Random clips with a share of their coordinates at an end of the range; pixels as bytes on request.
   */
  clips(count: number, atTheBox: number, seed: number, bytes = false): Map<string, DenseTensor> {
    const random = randomNumbers(seed);
    return new Map(
      this.card.inputs.map((input) => {
        const { low, high } = valueRange(input);
        const value = () => {
          if (random() < atTheBox) return random() < 0.5 ? low : high;
          return low + (high - low) * random();
        };
        const values = Float32Array.from({ length: count * sizeOf(exampleDims(input)) }, value);
        const data = bytes && low === 0 ? Uint8Array.from(values, (pixel) => Math.round(255 * pixel)) : values;
        return [input.name, { dims: [count, ...exampleDims(input)], data }];
      }),
    );
  }

  /** z_y - t_y of one clip in float64, for every label. */
  margins(clips: ReadonlyMap<string, DenseTensor>, clip: number): number[] {
    return LABELS.map((_, label) => {
      let sum = (this.bias[label] ?? 0) - (this.card.labels[label]?.threshold ?? 0);
      for (const input of this.card.inputs) {
        const size = sizeOf(exampleDims(input));
        const point = floats(clips.get(input.name)).subarray(clip * size, (clip + 1) * size);
        const weights = this.weights.get(input.name) ?? new Float32Array();
        for (let i = 0; i < size; i += 1) sum += (point[i] ?? 0) * (weights[i * LABELS.length + label] ?? 0);
      }
      return sum;
    });
  }

  /** The closed-form problem of one clip. */
  problem(
    clips: ReadonlyMap<string, DenseTensor>,
    clip: number,
    trueLabels: readonly number[],
    norm: NormName,
    budgets: ReadonlyMap<string, number>,
    masks: ReadonlyMap<string, Float32Array> = new Map(),
    own: ReadonlyMap<string, Partial<LinearVariable>> = new Map(),
  ): LinearProblem {
    const margins = this.margins(clips, clip);
    const variables = this.card.inputs
      .filter(({ name }) => budgets.has(name))
      .map((input) => {
        const size = sizeOf(exampleDims(input));
        const { low, high } = valueRange(input);
        const point = floats(clips.get(input.name)).subarray(clip * size, (clip + 1) * size);
        const weights = this.weights.get(input.name) ?? new Float32Array();
        const mask = masks.get(input.name);
        return {
          rho: budgets.get(input.name) ?? 0,
          weights: trueLabels.map((label) =>
            Float64Array.from(point, (_, i) => (weights[i * LABELS.length + label] ?? 0) * (mask?.[i] ?? 1)),
          ),
          down: Float64Array.from(point, (value) => low - value),
          up: Float64Array.from(point, (value) => high - value),
          ...own.get(input.name),
        };
      });
    return { norm, margins: trueLabels.map((label) => margins[label] ?? 0), variables };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.victim[Symbol.asyncDispose]();
  }
}

/** The elements of a clean tensor as the victim sees them. */
export function floats(tensor: DenseTensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data;
  if (tensor?.data instanceof Uint8Array) return Float32Array.from(tensor.data, (pixel) => pixel / 255);
  throw new TypeError('expected a float32 or uint8 tensor');
}
