import type { DenseTensor } from '@faultline/contracts';
import type { Cost, Tensors } from './victim.ts';

/** Weightless ONNX models, as bytes; their slots: docs/programs.md. */
export interface Programs {
  /** What the victim sees of the point; without one, the point itself. */
  readonly transform?: Uint8Array | undefined;
  /** loss, to be minimised. */
  readonly objective: Uint8Array;
  /** Next point, next state, outcomes of the evaluated point. */
  readonly step: Uint8Array;
  /** Starting point; without one, every start is the clean point. */
  readonly init?: Uint8Array | undefined;
}

/** What an attack may change: an input of the victim, or a tap of its card. */
export interface LoopVariable {
  readonly name: string;
  /** `shared`: one point for all examples, which starts at zeros and which the transform program applies. */
  readonly scope: 'example' | 'shared';
}

/** Uniform in [-1, 1), standard normal, or -1 and 1 with equal probability; independent in every coordinate. */
export type NoiseDistribution = 'uniform' | 'normal' | 'signs';

/** Noise that programs read as noise/`name`. */
export interface NoiseSlot {
  readonly name: string;
  readonly distribution: NoiseDistribution;
  /** Axes of one draw: programs read [examples, ...dims]. */
  readonly dims: readonly number[];
}

/** Several evaluations of each example in each step. */
export interface Samples {
  readonly count: number;
  /** `mean`: the gradient of the mean over samples; `each`: grad/V keeps the sample axis. */
  readonly gradient: 'mean' | 'each';
}

/** `evaluate` computes no gradients. */
export type LoopMode = 'differentiate' | 'evaluate';

/** param/P by P: float32, one value an example (or one for all where P is declared [1]); in steps also that many values for each step. */
export type Parameters = Readonly<Record<string, Float32Array>>;

/** The clips that a loop works on: what `rebatch` replaces. */
export interface LoopBatch {
  /** For each example, the index of its clip. */
  readonly exampleClips: readonly number[];
  /** Every input of the victim, [clips, ...]; frames may be uint8 (divided by 255). */
  readonly inputs: Tensors;
  /** float32 [examples, labels], 1 at the labels to act on. */
  readonly targets: DenseTensor<Float32Array>;
  /** data/D by D: [examples, ...]. */
  readonly data?: Tensors | undefined;
  /** One 64-bit key an example, derived from (seed, clip, threat model); needed where there are noise slots. */
  readonly noiseKeys?: BigUint64Array | undefined;
}

/** All that opens an attack loop, the clean batch included. */
export interface LoopPlan extends LoopBatch {
  readonly modelSha256: string;
  readonly programs: Programs;
  readonly variables: readonly LoopVariable[];
  /** Default 'differentiate'. */
  readonly mode?: LoopMode | undefined;
  /** Default: no sample axis. */
  readonly samples?: Samples | undefined;
  /** const/C by C. */
  readonly constants?: Tensors | undefined;
  readonly noise?: readonly NoiseSlot[] | undefined;
}

/** What is known of a loop before its tensors are sent. */
export interface LoopShape extends Pick<LoopPlan, 'programs' | 'variables' | 'mode' | 'samples' | 'noise'> {
  readonly clips: number;
  readonly examples: number;
}

/** Estimated bytes. */
export interface LoopFootprint {
  /** Held from opening to closing: points, clean batch, state, noise, what is computed ahead. Constants and data come on top, as uploaded. */
  readonly residentBytes: number;
  /** Held during one step, on top. */
  readonly workingBytes: number;
}

export interface StepOptions {
  /** Steps, 1 to 64, or 0 with `finish` for an evaluation alone; the loop may do fewer. */
  readonly steps: number;
  /** param/P by P: [examples] or [steps x examples]; shared ones [1] or [steps]. */
  readonly parameters: Parameters;
  /** After the last step, also evaluate the last point, which is then final. */
  readonly finish?: boolean;
}

export interface StepResult {
  /** Steps done; the finishing evaluation is not counted. */
  readonly stepsDone: number;
  readonly finished: boolean;
  /** outcome/O by O: float32 [rows, examples], or [rows] where the program writes [1]; rows = stepsDone, and one more when finished. */
  readonly outcomes: ReadonlyMap<string, Float32Array>;
  readonly cost: Cost;
}

/** An attack loop beside the weights. Calls are made one after another. Disposing it frees its memory on the other side. */
export interface Loop extends AsyncDisposable {
  /** Examples now in the loop. */
  readonly examples: number;
  step(options: StepOptions): Promise<StepResult>;
  /** Keeps only these examples (indices in the current order, strictly increasing). Refused with shared variables. */
  keep(examples: readonly number[]): Promise<void>;
  /** Runs the init program again with the next restart's noise. */
  restart(parameters: Parameters): Promise<void>;
  /** Puts other clips in the place of the present ones: shared points and shared state stay, everything else starts anew, init does not run. */
  rebatch(batch: LoopBatch): Promise<void>;
  /** Resident tensors by slot ("x/V", "state/S"), of all examples or of those named; shared ones whole. */
  fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors>;
}
