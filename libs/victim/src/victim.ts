import type { DenseTensor, inference, victim } from '@faultline/contracts';
import type { Loop, LoopPlan, Parameters } from './loop.ts';

/** Version of the program protocol that this code speaks: docs/programs.md. */
export const PROTOCOL_VERSION = 2;

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, DenseTensor>;

export interface CallOptions {
  /** Ends the call, and the loop that it opened, when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Evaluations of a victim, counted where they happen, in examples (each sample of an example counts). */
export interface Cost {
  readonly forwardExamples: number;
  readonly gradientExamples: number;
}

/** An inner value that may be read, and attacked where no other variable decides it. */
export interface TapDescription {
  readonly name: string;
  /** Axis sizes of one example's value, which is float32. */
  readonly dims: readonly number[];
}

export interface VictimDescription {
  readonly card: victim.Card;
  readonly protocolVersion: number;
  readonly optimizeSlots: number;
  /** Largest number of evaluations at once: examples of a prediction, examples x samples of a loop. */
  readonly maxExamples: number;
  readonly runtime: string;
  readonly threads: number;
  /** What attacks may use of each variable; undefined where nobody looked. */
  readonly gradient?: inference.GradientSupport | undefined;
  /** The card's taps, with the axis sizes of one example's value. */
  readonly taps?: readonly TapDescription[] | undefined;
  /** Memory that all loops together may hold, in bytes, where it is limited. */
  readonly optimizeBytes?: number | undefined;
}

export interface PredictOptions extends CallOptions {
  /** Names of taps of the card to return beside the logits. */
  readonly taps?: readonly string[] | undefined;
  /** Values that taps have instead of what the victim computes for them, float32 [batch, ...]: what follows is made of these. */
  readonly tapValues?: Tensors | undefined;
}

export interface Prediction {
  /** float32 [batch, labels]. */
  readonly logits: DenseTensor<Float32Array>;
  /** The taps asked for, float32 [batch, ...]. */
  readonly taps: Tensors;
  readonly modelSha256: string;
  readonly cost: Cost;
}

/**
 * A loss that needs no program, of logits z, thresholds t and targets, one number an example: `margin` max over targets of z - t; `bce` mean over
 * labels of the binary cross-entropy of sigmoid(z) with the targets; `ce` cross-entropy of softmax(z) with the targets, which are divided by their sum;
 * `logit_sum` sum over targets of z.
 */
export type NamedLoss = 'margin' | 'bce' | 'ce' | 'logit_sum';

/** What to differentiate, at which inputs. */
export interface DifferentiateRequest {
  /** Every input of the victim, [batch, ...]. */
  readonly inputs: Tensors;
  /** float32 [batch, labels], 1 at the labels to act on. */
  readonly targets: DenseTensor<Float32Array>;
  /** A named loss, or an objective program (it reads no state, noise or data; x0 is x). */
  readonly objective: NamedLoss | Uint8Array;
  /** Inputs or taps; a gradient is made for each. */
  readonly variables: readonly string[];
  /** param/P of the objective program, by P: [batch], or [1]. */
  readonly parameters?: Parameters | undefined;
  /** const/C of the objective program, by C. */
  readonly constants?: Tensors | undefined;
  /** Gradients pass Round, Floor and Ceil as if they were the identity: estimates where the true ones are 0. */
  readonly straightThrough?: boolean | undefined;
}

export interface Gradients {
  /** Gradient of the summed loss with respect to each variable, [batch, ...]. */
  readonly gradients: Tensors;
  /** float32 [batch]. */
  readonly loss: DenseTensor<Float32Array>;
  /** float32 [batch, labels]. */
  readonly logits: DenseTensor<Float32Array>;
  readonly modelSha256: string;
  readonly cost: Cost;
}

/** A model under attack, wherever it runs. */
export interface Victim extends AsyncDisposable {
  describe(options?: CallOptions): Promise<VictimDescription>;
  /** Logits of a batch; inputs [batch, ...] as in LoopPlan. */
  predict(inputs: Tensors, options?: PredictOptions): Promise<Prediction>;
  /** Gradients at a batch. */
  differentiate(request: DifferentiateRequest, options?: CallOptions): Promise<Gradients>;
  /** Opens a loop: admits, uploads, and runs the init program with these parameters. */
  open(plan: LoopPlan, parameters: Parameters, options?: CallOptions): Promise<Loop>;
}
