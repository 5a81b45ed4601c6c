import type { ExecutionProvider } from '@faultline/ort';
import {
  ADAMW_DEFAULTS,
  ADVERSARY_DEFAULTS,
  type Decay,
  type ModalityBudgets,
  SPEC_AUGMENT_DEFAULTS,
  type Treatments,
} from '@faultline/training';

/** What never changes between victims. */
export const RECIPE = {
  batchSize: 24,
  /** Newly composed examples a step; each is drawn about four times. */
  freshPerStep: 6,
  /** Examples composed before the first step. */
  firstExamples: 768,
  stepsPerEpoch: 400,
  stepsPerReport: 100,
} as const;

/** What may. Zero switches a treatment off. */
export interface RunOptions {
  readonly steps: number;
  /** Steps on single moments of clips, before those on whole clips. */
  readonly momentSteps: number;
  readonly momentLearningRate: number;
  readonly learningRate: number;
  readonly warmUp: number;
  readonly decay: Decay;
  readonly weightDecay: number;
  readonly clipNorm: number;
  readonly specAugment: boolean;
  readonly mixup: number;
  readonly balanced: boolean;
  /** Epochs without a better validation mAP before training ends; 0: all steps. */
  readonly patience: number;
  readonly adversarialSteps: number;
  readonly adversarialShare: number;
  readonly epsilonWaveform: number;
  readonly epsilonFrames: number;
  readonly gradientPenalty: number;
  readonly orthogonality: number;
  readonly margin: number;
  readonly provider: ExecutionProvider;
}

export const RUN_DEFAULTS: RunOptions = {
  steps: 2400,
  momentSteps: 0,
  momentLearningRate: 2e-3,
  learningRate: 2e-3,
  warmUp: 150,
  decay: 'cosine',
  weightDecay: ADAMW_DEFAULTS.weightDecay,
  clipNorm: ADAMW_DEFAULTS.maxGradientNorm,
  specAugment: false,
  mixup: 0,
  balanced: false,
  patience: 0,
  adversarialSteps: 0,
  adversarialShare: ADVERSARY_DEFAULTS.share,
  epsilonWaveform: 2e-3,
  epsilonFrames: 4 / 255,
  gradientPenalty: 0,
  orthogonality: 0,
  margin: 0,
  provider: 'cpu',
};

/** The options as the trainer takes them. */
export function treatmentsOf(options: RunOptions): Treatments {
  const budgets: ModalityBudgets = { waveform: options.epsilonWaveform, frames: options.epsilonFrames };
  const { adversarialSteps: steps, adversarialShare: share, orthogonality, margin } = options;
  return {
    optimiser: { weightDecay: options.weightDecay, maxGradientNorm: options.clipNorm },
    ...(options.specAugment ? { specAugment: SPEC_AUGMENT_DEFAULTS } : {}),
    ...(options.mixup > 0 ? { mixup: options.mixup } : {}),
    ...(steps > 0 ? { adversary: { steps, share, budgets } } : {}),
    ...(options.gradientPenalty > 0 ? { gradientPenalty: { weight: options.gradientPenalty, budgets } } : {}),
    ...(orthogonality > 0 || margin > 0 ? { orthogonalHeads: { orthogonality, margin } } : {}),
  };
}
