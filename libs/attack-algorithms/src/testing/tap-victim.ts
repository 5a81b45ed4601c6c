import type { DenseTensor, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { LocalVictim } from '@faultline/victim-local';
import { testCard } from '@faultline/victim-local/testing';
import type { NormName } from '../attack.ts';
import type { LinearProblem } from './linear-optimum.ts';
import { normal, randomNumbers } from './random.ts';

const SAMPLES = 60;
/** Axes of one example's tap, the hidden layer. */
export const HIDDEN_DIMS = [1, 30, 40] as const;
const HIDDEN = 1_200;
const FRAME_DIMS = [2, 3, 4, 4] as const;
const PIXELS = 96;
export const LABELS = 3;
/** About the spread of the logits over random clips. */
const LOGIT_SCALE = 4;

/** Distance to the end of a range that is not there. */
const NO_END = 1e12;

/**
 * A victim of two layers: hidden = 3 tanh(waveform A) is its tap, and logits = hidden W + frames V + b. From the tap on it is linear, so that the optimum there is known in closed form;
 * before it is not.
 */
export class TapVictim implements AsyncDisposable {
  readonly victim: LocalVictim;
  readonly card: victim.Card;
  /** [hidden x labels], as the graph holds them. */
  readonly #weights: Float32Array;

  private constructor(local: LocalVictim, card: victim.Card, weights: Float32Array) {
    this.victim = local;
    this.card = card;
    this.#weights = weights;
  }

  static async create(seed: number): Promise<TapVictim> {
    const random = randomNumbers(seed);
    const spread = (size: number, scale: number) => Float32Array.from({ length: size }, () => scale * normal(random));
    const weights = spread(HIDDEN * LABELS, 0.05);
    const b = new GraphBuilder();
    const waveform = b.input('waveform', ['batch', SAMPLES]);
    const frames = b.reshape(b.input('frames', ['batch', ...FRAME_DIMS]), [-1, PIXELS]);
    const first = b.matmul(waveform, b.constant(float32(spread(SAMPLES * HIDDEN, 0.2), [SAMPLES, HIDDEN])));
    const scaled = b.times(b.op('Tanh', [first]), b.scalar(3));
    b.add('Reshape', [scaled, b.ints([-1, ...HIDDEN_DIMS])], {}, ['hidden']);
    const heard = b.matmul(b.reshape('hidden', [-1, HIDDEN]), b.constant(float32(weights, [HIDDEN, LABELS])));
    const seen = b.matmul(frames, b.constant(float32(spread(PIXELS * LABELS, 0.1), [PIXELS, LABELS])));
    const bias = b.constant(
      float32(
        spread(LABELS, 1).map((value) => value + 5),
        [LABELS],
      ),
    );
    b.output(b.plus(b.plus(heard, seen), bias), ['batch', LABELS], 'float32', 'logits');
    const model = encodeModel(b.model('tap-victim'));
    const [count, , height, width] = FRAME_DIMS;
    const card = testCard('tap-victim', model, LABELS, {
      inputs: [
        { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: SAMPLES } } },
        { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames: count, height, width } } },
      ],
      labels: Array.from({ length: LABELS }, (_, label) => ({ label: `label-${label}`, threshold: 0.1 * label })),
      logitScale: LOGIT_SCALE,
      taps: [{ name: 'hidden', value: 'hidden' }],
    });
    return new TapVictim(await LocalVictim.load({ model, card }), card, weights);
  }

  /** Random clips: some loud, some quiet, so that their taps differ in size. */
  clips(count: number, seed: number): Map<string, DenseTensor<Float32Array>> {
    const random = randomNumbers(seed);
    const waveform = Float32Array.from({ length: count * SAMPLES }, (_, i) => {
      const loudness = (1 + Math.floor(i / SAMPLES)) / count;
      return loudness * (2 * random() - 1);
    });
    const frames = Float32Array.from({ length: count * PIXELS }, () => random());
    return new Map([
      ['waveform', { dims: [count, SAMPLES], data: waveform }],
      ['frames', { dims: [count, ...FRAME_DIMS], data: frames }],
    ]);
  }

  /** Clean taps of some clips, one row each, and z_y - t_y of every label. */
  async standing(inputs: ReadonlyMap<string, DenseTensor>): Promise<{ taps: Float32Array[]; margins: number[][] }> {
    const { logits, taps } = await this.victim.predict(inputs, { taps: ['hidden'] });
    const hidden = taps.get('hidden')?.data;
    if (!(hidden instanceof Float32Array)) throw new TypeError('the tap was not read');
    const rows = Array.from({ length: logits.dims[0] ?? 0 }, (_, clip) => clip);
    return {
      taps: rows.map((clip) => hidden.subarray(clip * HIDDEN, (clip + 1) * HIDDEN)),
      margins: rows.map((clip) =>
        this.card.labels.map(({ threshold }, label) => (logits.data[clip * LABELS + label] ?? 0) - threshold),
      ),
    };
  }

  /** The closed-form problem of one clip at the tap, whose values have no range. */
  problem(margins: readonly number[], trueLabels: readonly number[], norm: NormName, rho: number): LinearProblem {
    const weights = trueLabels.map((label) =>
      Float64Array.from({ length: HIDDEN }, (_, i) => this.#weights[i * LABELS + label] ?? 0),
    );
    const [down, up] = [new Float64Array(HIDDEN).fill(-NO_END), new Float64Array(HIDDEN).fill(NO_END)];
    return {
      norm,
      margins: trueLabels.map((label) => margins[label] ?? 0),
      variables: [{ rho, weights, down, up }],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.victim[Symbol.asyncDispose]();
  }
}
