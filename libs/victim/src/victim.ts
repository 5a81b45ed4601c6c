import type { DenseTensor, inference, victim } from '@faultline/contracts';

/** Version of the program protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** Tensors by name. */
export type Tensors = ReadonlyMap<string, DenseTensor>;

export interface CallOptions {
  /** Ends the call, and the loop that it opened, when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Evaluations of a victim, counted where they happen, in examples. */
export interface Cost {
  readonly forwardExamples: number;
  readonly gradientExamples: number;
}

export interface VictimDescription {
  readonly card: victim.Card;
  readonly protocolVersion: number;
  readonly optimizeSlots: number;
  /** Largest number of examples in one loop or prediction. */
  readonly maxExamples: number;
  readonly runtime: string;
  readonly threads: number;
  /** What attacks may use of each variable; undefined where nobody looked. */
  readonly gradient?: inference.GradientSupport | undefined;
}

export interface Prediction {
  /** float32 [batch, labels]. */
  readonly logits: DenseTensor<Float32Array>;
  readonly modelSha256: string;
  readonly cost: Cost;
}

/** Weightless ONNX models, as bytes. Slots and their meaning: the contract faultline.inference.v1alpha1.Programs. */
export interface Programs {
  readonly objective: Uint8Array;
  readonly step: Uint8Array;
  readonly init?: Uint8Array | undefined;
}

/** Counter-based noise for the init program. */
export interface NoisePlan {
  readonly distribution: 'uniform' | 'normal';
  /** One 64-bit key an example, derived from (seed, clip, threat model). */
  readonly keys: BigUint64Array;
}

/** All that opens an attack loop, the clean batch included. */
export interface LoopPlan {
  readonly modelSha256: string;
  readonly programs: Programs;
  /** Inputs that the attack may change. */
  readonly variables: readonly string[];
  /** For each example, the index of its clip. */
  readonly exampleClips: readonly number[];
  /** Every input of the victim, [clips, ...]; frames may be uint8 (divided by 255). */
  readonly inputs: Tensors;
  /** float32 [examples, labels], 1 at the labels to act on. */
  readonly targets: DenseTensor<Float32Array>;
  /** const/C tensors, by C. */
  readonly constants?: Tensors | undefined;
  readonly noise?: NoisePlan | undefined;
}

export interface StepOptions {
  /** Gradient steps, 1 to 64, or 0 with `finish` for an evaluation alone; the loop may do fewer. */
  readonly steps: number;
  /** param/P by P: float32, [examples] or [steps x examples]. */
  readonly parameters: Readonly<Record<string, Float32Array>>;
  /** After the last step, also evaluate the last point, which is then final. */
  readonly finish?: boolean;
}

export interface StepResult {
  /** Steps done; the finishing evaluation is not counted. */
  readonly stepsDone: number;
  readonly finished: boolean;
  /** outcome/O by O: float32 [rows, examples]; rows = stepsDone, and one more when finished. */
  readonly outcomes: ReadonlyMap<string, Float32Array>;
  readonly cost: Cost;
}

/** An attack loop beside the weights. Calls are made one after another. Disposing it frees its memory on the other side. */
export interface Loop extends AsyncDisposable {
  /** Examples now in the loop. */
  readonly examples: number;
  step(options: StepOptions): Promise<StepResult>;
  /** Keeps only these examples (indices in the current order, strictly increasing). */
  keep(examples: readonly number[]): Promise<void>;
  /** Runs the init program again with the next restart's noise. */
  restart(parameters: Readonly<Record<string, Float32Array>>): Promise<void>;
  /** Resident tensors by slot ("x/V", "state/S"), of all examples or of those named. */
  fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors>;
}

/** A model under attack, wherever it runs. */
export interface Victim extends AsyncDisposable {
  describe(options?: CallOptions): Promise<VictimDescription>;
  /** Logits of a batch; inputs [batch, ...] as in LoopPlan. */
  predict(inputs: Tensors, options?: CallOptions): Promise<Prediction>;
  /** Opens a loop: admits, uploads, and runs the init program with these parameters. */
  open(plan: LoopPlan, parameters: Readonly<Record<string, Float32Array>>, options?: CallOptions): Promise<Loop>;
}
