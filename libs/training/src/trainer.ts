import { differentiate } from '@faultline/autodiff';
import { buildVictim, type VictimGraph, type VictimSpec, type Weights } from '@faultline/fusion';
import { elementCount, float32, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, float32Data, fromOrt, type OrtTensor, Session, toOrt } from '@faultline/ort';
import { ADAMW_DEFAULTS, adamwStep } from './adamw.ts';
import { initialise } from './initialise.ts';
import { auxiliaryTargets, withLoss } from './loss.ts';

/** Running statistics keep this share of their value at each step. */
const STATISTICS_MOMENTUM = 0.99;

/** One batch. What is heard and what is seen trains the single branches, their union the victim. */
export interface TrainingBatch {
  readonly size: number;
  /** `[size, samples]`. */
  readonly waveform: Float32Array;
  /** `[size, frames, 3, height, width]`, in [0, 1]. */
  readonly frames: Float32Array;
  /** `[size, labels]`, 0/1. */
  readonly targets: Float32Array;
  readonly audioTargets: Float32Array;
  readonly visualTargets: Float32Array;
}

export interface StepReport {
  readonly loss: number;
  /** L2 norm over all parameters, before clipping. */
  readonly gradientNorm: number;
}

export interface TrainerOptions {
  readonly spec: VictimSpec;
  /** Decides the first weights. */
  readonly seed: number;
  readonly threads?: number;
}

/** Trains one victim: a gradient session and a step session, parameters and moments resident between them. */
export class Trainer implements AsyncDisposable {
  readonly #spec: VictimSpec;
  readonly #victim: VictimGraph;
  readonly #gradient: Session;
  readonly #step: Session;
  #state: Record<string, OrtTensor>;
  readonly #running: Map<string, Float32Array>;
  #steps = 0;

  private constructor(
    spec: VictimSpec,
    victim: VictimGraph,
    sessions: { readonly gradient: Session; readonly step: Session },
    weights: Weights,
  ) {
    this.#spec = spec;
    this.#victim = victim;
    this.#gradient = sessions.gradient;
    this.#step = sessions.step;
    this.#state = Object.fromEntries(
      victim.parameters.flatMap(({ name, shape }) => {
        const zeros = () => toOrt(float32(new Float32Array(elementCount(shape)), shape));
        const weight = weights.get(name);
        if (weight === undefined) throw new Error(`parameter '${name}' has no first value`);
        return [
          [name, toOrt(weight)],
          [`first/${name}`, zeros()],
          [`second/${name}`, zeros()],
        ];
      }),
    );
    this.#running = new Map(
      victim.statistics.flatMap(({ mean, variance, channels }) => [
        [mean, new Float32Array(channels)],
        [variance, new Float32Array(channels).fill(1)],
      ]),
    );
  }

  static async create({ spec, seed, threads = 1 }: TrainerOptions): Promise<Trainer> {
    const victim = buildVictim(spec);
    const graph = withLoss(victim);
    const wrt = victim.parameters.map(({ name }) => name);
    const types = await dryRun(graph);
    const gradient = differentiate({ graph, types, output: 'loss', wrt });
    const sessions = {
      gradient: await Session.create(modelOf(gradient), { threads }),
      // Small tensors: threads would cost more than they bring.
      step: await Session.create(modelOf(adamwStep(victim.parameters)), { threads: 1 }),
    };
    return new Trainer(spec, victim, sessions, initialise(victim.parameters, seed));
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /** One step of AdamW on a batch. */
  async step(batch: TrainingBatch, learningRate: number): Promise<StepReport> {
    const weights = Object.fromEntries(
      this.#victim.parameters.map(({ name }) => [name, tensorAt(this.#state, name)] as const),
    );
    const results = await this.#gradient.run({ ...weights, ...this.#feeds(batch) });
    const gradients = this.#victim.parameters.map(
      ({ name }) => [`grad/${name}`, tensorAt(results, `grad/${name}`)] as const,
    );
    this.#follow(results);
    this.#steps += 1;
    const stepped = await this.#step.run({
      ...this.#state,
      ...Object.fromEntries(gradients),
      learningRate: scalarTensor(learningRate),
      correction1: scalarTensor(1 - ADAMW_DEFAULTS.beta1 ** this.#steps),
      correction2: scalarTensor(1 - ADAMW_DEFAULTS.beta2 ** this.#steps),
    });
    this.#state = Object.fromEntries(Object.keys(this.#state).map((name) => [name, tensorAt(stepped, `next/${name}`)]));
    return { loss: scalarOf(results, 'loss'), gradientNorm: scalarOf(stepped, 'gradientNorm') };
  }

  /** Parameters and running statistics, to export a victim with. */
  weights(): Map<string, Tensor> {
    return new Map([
      ...this.#victim.parameters.map(({ name }) => [name, fromOrt(tensorAt(this.#state, name))] as const),
      ...Array.from(this.#running, ([name, values]) => [name, float32(values.slice())] as const),
    ]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gradient[Symbol.asyncDispose]();
    await this.#step[Symbol.asyncDispose]();
  }

  #feeds(batch: TrainingBatch): Record<string, OrtTensor> {
    const { size, waveform, frames, targets, audioTargets, visualTargets } = batch;
    const video = this.#spec.frames;
    const labels = (values: Float32Array) => toOrt(float32(values, [size, this.#spec.labels]));
    const auxiliary = this.#victim.auxiliaryLogits.map((name) => {
      const own = name.startsWith('audio') ? audioTargets : visualTargets;
      return [auxiliaryTargets(name), labels(own)] as const;
    });
    return {
      waveform: toOrt(float32(waveform, [size, this.#spec.waveform.samples])),
      frames: toOrt(float32(frames, [size, video.frames, 3, video.height, video.width])),
      targets: labels(targets),
      ...Object.fromEntries(auxiliary),
    };
  }

  #follow(results: Record<string, OrtTensor>): void {
    for (const [name, running] of this.#running) {
      const batch = float32Data(tensorAt(results, name));
      for (const [channel, value] of batch.entries()) {
        running[channel] = STATISTICS_MOMENTUM * (running[channel] ?? 0) + (1 - STATISTICS_MOMENTUM) * value;
      }
    }
  }
}

function tensorAt(values: Record<string, OrtTensor>, name: string): OrtTensor {
  const value = values[name];
  if (value === undefined) throw new Error(`the session made no value '${name}'`);
  return value;
}

const scalarOf = (values: Record<string, OrtTensor>, name: string): number =>
  float32Data(tensorAt(values, name))[0] ?? Number.NaN;

const scalarTensor = (value: number): OrtTensor => toOrt(float32([value], []));
