import { createHash } from 'node:crypto';
import { type DenseTensor, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { CARD_SCHEMA_VERSION, exampleDims, valueRange } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import type { NormName } from '../attack.ts';
import type { LinearProblem } from './linear-optimum.ts';
import { normal, randomNumbers } from './random.ts';

const INPUTS: readonly victim.InputSpecification[] = [
  { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 800 } } },
  { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: 2, height: 12, width: 10 } } },
];
const LABELS = ['dog', 'bird', 'horse'];

/** Spread of the weights: the waveform's range is twice the frames', its weights are smaller. */
const WEIGHT_SPREAD = { waveform: 0.05, frames: 0.1 } as const satisfies Record<string, number>;

const sizeOf = (input: victim.InputSpecification) => exampleDims(input).reduce((product, size) => product * size, 1);

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
    const b = new GraphBuilder();
    const bias = Float32Array.from(LABELS, () => normal(random));
    const weights = new Map<string, Float32Array>();
    let logits = b.constant(float32(bias));
    for (const input of INPUTS) {
      const size = sizeOf(input);
      const spread = input.name === 'waveform' ? WEIGHT_SPREAD.waveform : WEIGHT_SPREAD.frames;
      const values = Float32Array.from({ length: size * LABELS.length }, () => spread * normal(random));
      weights.set(input.name, values);
      const flat = b.reshape(b.input(input.name, ['batch', ...exampleDims(input)]), [-1, size]);
      logits = b.plus(b.matmul(flat, b.constant(float32(values, [size, LABELS.length]))), logits);
    }
    b.output(logits, ['batch', LABELS.length], 'float32', 'logits');
    const model = encodeModel(b.model());
    const card: victim.Card = {
      ...victim.Card.fromJSON({}),
      schemaVersion: CARD_SCHEMA_VERSION,
      name: 'linear',
      model: 'model.onnx',
      sha256: createHash('sha256').update(model).digest('hex'),
      inputs: [...INPUTS],
      logits: 'logits',
      labels: LABELS.map((label, index) => ({ label, threshold: 0.1 * index })),
      logitScale: 2,
    };
    return new LinearVictim(await LocalVictim.load({ model, card }), card, weights, bias);
  }

  /**
   * Random clips with a share of their coordinates at an end of the range, and true labels lifted so that each is active.
   * uint8 frames on request.
   */
  clips(count: number, atTheBox: number, seed: number, bytes = false): Map<string, DenseTensor> {
    const random = randomNumbers(seed);
    return new Map(
      INPUTS.map((input) => {
        const { low, high } = valueRange(input);
        const value = () => {
          if (random() < atTheBox) return random() < 0.5 ? low : high;
          return low + (high - low) * random();
        };
        const values = Float32Array.from({ length: count * sizeOf(input) }, value);
        const data = bytes && low === 0 ? Uint8Array.from(values, (pixel) => Math.round(255 * pixel)) : values;
        return [input.name, { dims: [count, ...exampleDims(input)], data }];
      }),
    );
  }

  /** z_y - t_y of one clip in float64, for every label. */
  margins(clips: ReadonlyMap<string, DenseTensor>, clip: number): number[] {
    return LABELS.map((_, label) => {
      let sum = (this.bias[label] ?? 0) - (this.card.labels[label]?.threshold ?? 0);
      for (const input of INPUTS) {
        const size = sizeOf(input);
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
  ): LinearProblem {
    const margins = this.margins(clips, clip);
    const variables = INPUTS.filter(({ name }) => budgets.has(name)).map((input) => {
      const size = sizeOf(input);
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
