import { differentiate } from '@faultline/autodiff';
import { buildVictim, type FeatureSpec, type VictimGraph, type VictimSpec, type Weights } from '@faultline/fusion';
import { float32, type Graph, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, type ExecutionProvider, float32Data, fromOrt, type OrtTensor, Session, toOrt } from '@faultline/ort';
import { ADAMW_DEFAULTS, type AdamWOptions, adamwStep } from './adamw.ts';
import { Adversary, type AdversaryOptions } from './adversary.ts';
import { type GradientPenaltyOptions, withGradientPenalty } from './gradient-penalty.ts';
import { initialise } from './initialise.ts';
import { auxiliaryTargets, withLoss } from './loss.ts';
import { mixup } from './mixup.ts';
import { type OrthogonalHeadsOptions, withOrthogonalHeads } from './orthogonal-heads.ts';
import { GRADIENT, parametersIn, vectorOf, withGradientVector } from './parameter-vector.ts';
import {
  BANDS_KEPT,
  drawMasks,
  type LogMelSize,
  type SpecAugmentOptions,
  TIME_KEPT,
  withMaskedLogMel,
} from './spec-augment.ts';
import type { TrainingBatch } from './training-batch.ts';

/** Running statistics keep this share of their value at each step. */
const STATISTICS_MOMENTUM = 0.99;

export interface StepReport {
  readonly loss: number;
  /** L2 norm over all parameters, before clipping. */
  readonly gradientNorm: number;
}

/** How a victim is trained; what is not given is not done. */
export interface Treatments {
  readonly optimiser?: Partial<AdamWOptions>;
  readonly specAugment?: SpecAugmentOptions;
  /** Parameter alpha of mixup. */
  readonly mixup?: number;
  readonly adversary?: AdversaryOptions;
  readonly gradientPenalty?: GradientPenaltyOptions;
  readonly orthogonalHeads?: OrthogonalHeadsOptions;
}

export interface TrainerOptions extends Treatments {
  readonly spec: VictimSpec | FeatureSpec;
  /** Decides the first weights and what is drawn at each step. */
  readonly seed: number;
  /** First values of some parameters and running statistics, by name, in place of drawn ones. */
  readonly first?: Weights;
  readonly threads?: number;
  readonly executionProvider?: ExecutionProvider;
}

/** All that decides the steps to come: tensors by name. */
export interface TrainerState {
  readonly steps: number;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

interface Parts {
  readonly victim: VictimGraph;
  readonly gradient: Session;
  readonly step: Session;
  readonly adversary: Adversary | undefined;
}

/** Trains one victim: a gradient session and a step session, parameters and moments resident between them. */
export class Trainer implements AsyncDisposable {
  readonly #options: TrainerOptions;
  readonly #optimiser: AdamWOptions;
  readonly #parts: Parts;
  readonly #inputNames: ReadonlySet<string>;
  /** Inputs of the step session: weights and moments, a vector each. */
  #state: Record<string, OrtTensor>;
  readonly #running: Map<string, Float32Array>;
  #steps = 0;

  private constructor(options: TrainerOptions, parts: Parts, weights: Weights) {
    const { victim, gradient } = parts;
    this.#options = options;
    this.#optimiser = { ...ADAMW_DEFAULTS, ...options.optimiser };
    this.#parts = parts;
    this.#inputNames = new Set(gradient.inputNames);
    const first = vectorOf(victim.parameters, weights);
    const zeros = () => toOrt(float32(new Float32Array(first.length)));
    this.#state = { weights: toOrt(float32(first)), first: zeros(), second: zeros() };
    this.#running = new Map(
      victim.statistics.flatMap(({ mean, variance, channels }) => [
        [mean, firstOf(weights, mean) ?? new Float32Array(channels)],
        [variance, firstOf(weights, variance) ?? new Float32Array(channels).fill(1)],
      ]),
    );
  }

  /**
   * @throws RangeError for options out of range, OnnxError for treatments that the victim's architecture does not take,
   * ExecutionProviderError when the runtime lacks the provider.
   */
  static async create(options: TrainerOptions): Promise<Trainer> {
    const { spec, seed, threads = 1, executionProvider = 'cpu' } = options;
    const victim = buildVictim(spec);
    const plain = withMasks(withLoss(victim), options);
    const graph = await withRegularisers(plain, victim, options);
    const wrt = victim.parameters.map(({ name }) => name);
    const gradient = differentiate({ graph, types: await dryRun(graph), output: 'loss', wrt });
    const session = { threads, executionProvider, memory: 'kept' } as const;
    const parts = {
      victim,
      gradient: await Session.create(modelOf(withGradientVector(gradient, victim.parameters)), session),
      step: await Session.create(
        modelOf(adamwStep(victim.parameters, { ...ADAMW_DEFAULTS, ...options.optimiser })),
        session,
      ),
      adversary: options.adversary && (await Adversary.create(plain, options.adversary, session)),
    };
    return new Trainer(options, parts, new Map([...initialise(victim.parameters, seed), ...(options.first ?? [])]));
  }

  /** Steps done. */
  get steps(): number {
    return this.#steps;
  }

  /** One step of AdamW on a batch. What is drawn for it depends on (seed, steps done) alone. */
  async step(batch: TrainingBatch, learningRate: number): Promise<StepReport> {
    const { gradient, step, adversary } = this.#parts;
    const feeds = await this.#feeds(batch);
    const attacked = await adversary?.attack(feeds, { ...this.#draw(), size: batch.size });
    const results = await gradient.run({ ...feeds, ...attacked });
    this.#follow(results);
    this.#steps += 1;
    const { beta1, beta2 } = this.#optimiser;
    const stepped = await step.run({
      ...this.#state,
      gradient: tensorAt(results, GRADIENT),
      learningRate: scalarTensor(learningRate),
      correction1: scalarTensor(1 - beta1 ** this.#steps),
      correction2: scalarTensor(1 - beta2 ** this.#steps),
    });
    this.#state = Object.fromEntries(Object.keys(this.#state).map((name) => [name, tensorAt(stepped, `next/${name}`)]));
    return { loss: scalarOf(results, 'loss'), gradientNorm: scalarOf(stepped, 'gradientNorm') };
  }

  /** Parameters and running statistics, to export a victim with. */
  weights(): Map<string, Tensor> {
    return new Map([
      ...parametersIn(this.#weightVector().slice(), this.#parts.victim.parameters),
      ...this.#statistics(),
    ]);
  }

  /** What `restore` continues from, bit for bit. */
  state(): TrainerState {
    const resident = Object.entries(this.#state).map(([name, value]) => [name, fromOrt(value)] as const);
    return { steps: this.#steps, tensors: new Map([...resident, ...this.#statistics()]) };
  }

  /** @throws RangeError when the state is that of another victim. */
  restore({ steps, tensors }: TrainerState): void {
    const take = (name: string, count: number): Tensor => {
      const tensor = tensors.get(name);
      if (tensor !== undefined && tensor.data.length === count) return tensor;
      throw new RangeError(`the state to restore does not fit this victim: '${name}' is missing or has another size`);
    };
    this.#state = Object.fromEntries(
      Object.entries(this.#state).map(([name, now]) => [name, toOrt(take(name, now.data.length))]),
    );
    for (const [name, values] of this.#running) values.set(float32Data(toOrt(take(name, values.length))));
    this.#steps = steps;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.gradient[Symbol.asyncDispose]();
    await this.#parts.step[Symbol.asyncDispose]();
    await this.#parts.adversary?.[Symbol.asyncDispose]();
  }

  #weightVector(): Float32Array {
    return float32Data(tensorAt(this.#state, 'weights'));
  }

  #statistics(): [string, Tensor][] {
    return Array.from(this.#running, ([name, values]) => [name, float32(values.slice())]);
  }

  #draw(): { readonly seed: number; readonly step: number } {
    return { seed: this.#options.seed, step: this.#steps };
  }

  /** Weights and a batch, as the gradient graph takes them; what it has no input for is left out. */
  async #feeds(given: TrainingBatch): Promise<Record<string, OrtTensor>> {
    const { spec, specAugment } = this.#options;
    const alpha = this.#options.mixup;
    const batch = alpha === undefined ? given : mixup(given, alpha, this.#draw());
    const { size } = batch;
    const labels = (values: Float32Array) => toOrt(float32(values, [size, spec.labels]));
    const { victim } = this.#parts;
    const feeds: Record<string, OrtTensor> = { targets: labels(batch.targets) };
    for (const { name, dims } of victim.inputs) {
      const values = batch.inputs[name];
      if (values === undefined) throw new RangeError(`the batch has no '${name}', an input of the victim; give it`);
      feeds[name] = toOrt(float32(values, [size, ...dims]));
    }
    for (const [name, tensor] of parametersIn(this.#weightVector(), victim.parameters)) feeds[name] = toOrt(tensor);
    for (const name of victim.auxiliaryLogits) {
      feeds[auxiliaryTargets(name)] = labels(name.startsWith('audio') ? batch.audioTargets : batch.visualTargets);
    }
    if (specAugment !== undefined) {
      const mel = logMelSize(spec);
      const masks = drawMasks(specAugment, mel, { ...this.#draw(), size });
      feeds[TIME_KEPT] = toOrt(float32(masks.time, [size, 1, mel.steps, 1]));
      feeds[BANDS_KEPT] = toOrt(float32(masks.bands, [size, 1, 1, mel.bands]));
    }
    return Object.fromEntries(Object.entries(feeds).filter(([name]) => this.#inputNames.has(name)));
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

function firstOf(weights: Weights, name: string): Float32Array | undefined {
  const tensor = weights.get(name);
  return tensor && float32Data(toOrt(tensor)).slice();
}

const logMelSize = (spec: VictimSpec | FeatureSpec): LogMelSize =>
  'logMel' in spec
    ? spec.logMel
    : { steps: spec.waveform.samples / spec.frontEnd.stepSamples, bands: spec.frontEnd.bands };

const withMasks = (graph: Graph, { spec, specAugment }: TrainerOptions): Graph =>
  specAugment === undefined ? graph : withMaskedLogMel(graph, logMelSize(spec));

async function withRegularisers(
  graph: Graph,
  victim: VictimGraph,
  { orthogonalHeads, gradientPenalty }: Treatments,
): Promise<Graph> {
  const regularised = orthogonalHeads === undefined ? graph : withOrthogonalHeads(graph, victim, orthogonalHeads);
  return gradientPenalty === undefined ? regularised : withGradientPenalty(regularised, gradientPenalty);
}

function tensorAt(values: Record<string, OrtTensor>, name: string): OrtTensor {
  const value = values[name];
  if (value === undefined) throw new Error(`the session made no value '${name}'`);
  return value;
}

const scalarOf = (values: Record<string, OrtTensor>, name: string): number =>
  float32Data(tensorAt(values, name))[0] ?? Number.NaN;

const scalarTensor = (value: number): OrtTensor => toOrt(float32([value], []));
