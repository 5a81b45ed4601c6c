import type { ConvolutionSpec, FusionVariant, Inputs } from './specs.ts';

/**
 * Self-attention over time (Vaswani et al., 2017): `layers` layers with weights of their own, each applied `applications` times in a row.
 * `after` normalises after each residual sum, as the original does; `before` normalises what enters a branch, as vision
 * transformers do; `no-residuals` leaves the sums out, the ablation of the founding study.
 */
export interface AttentionSpec {
  readonly kind: 'attention';
  /** Must be a multiple of `heads`; a sequence of another width is projected to it. */
  readonly width: number;
  readonly heads: number;
  readonly feedForward: number;
  readonly layers: number;
  readonly applications: number;
  readonly form: 'after' | 'before' | 'no-residuals';
}

/** A gated recurrent unit over time (Cho et al., 2014); both directions side by side make `2 x hidden` features. */
export interface RecurrentSpec {
  readonly kind: 'recurrent';
  readonly hidden: number;
  readonly directions: 1 | 2;
}

/** Convolutions over time. */
export interface TemporalSpec {
  readonly kind: 'temporal';
  readonly blocks: readonly ConvolutionSpec[];
}

/** What mixes the steps of a sequence; `none` leaves them alone. */
export type EncoderSpec = AttentionSpec | RecurrentSpec | TemporalSpec | { readonly kind: 'none' };

/** Convolution blocks; then a step's bands stand side by side (`stacked`) or are averaged. */
export interface ConvolutionalTrunk {
  readonly kind: 'convolutional';
  readonly blocks: readonly ConvolutionSpec[];
  readonly bands: 'stacked' | 'averaged';
}

/** A row of residual blocks of one width; the first has the stride. */
export interface ResidualStage {
  readonly blocks: number;
  readonly channels: number;
  readonly stride: 1 | 2;
}

/** A residual network (He et al., 2016); bottlenecks widen their channels fourfold. Bands are averaged at its end. */
export interface ResidualTrunk {
  readonly kind: 'residual';
  readonly stem: ConvolutionSpec;
  readonly block: 'basic' | 'bottleneck';
  readonly stages: readonly ResidualStage[];
}

/** Patches of the log-mel as a sequence, each with a learnt position (Gong et al., 2021, but patches do not overlap). */
export interface PatchTrunk {
  readonly kind: 'patches';
  /** Time steps and bands of a patch; they divide the log-mel. */
  readonly size: readonly [number, number];
  readonly width: number;
}

/** Log-mel -> sequence. */
export type AudioTrunk = ConvolutionalTrunk | ResidualTrunk | PatchTrunk;

/** Sequence -> logits: attention over time for each label, or the mean and the maximum over time and a hidden layer. */
export type HeadSpec = { readonly kind: 'attention' } | { readonly kind: 'mean-max'; readonly embedding: number };

/**
 * How two sequences of the same steps become one:
 * - `sum`: a x audio + b x visual, a and b learnt;
 * - `concat`: side by side, then a linear layer;
 * - `film`: scale and shift of the audio, computed from the visual (Perez et al., 2018);
 * - `gated`: g x audio + (1 - g) x visual, g computed from both (Arevalo et al., 2017).
 */
export type FusionOperator = 'sum' | 'concat' | 'film' | 'gated';

export interface AudioBranch {
  readonly trunk: AudioTrunk;
  readonly encoder: EncoderSpec;
}

export interface AudioDesign extends AudioBranch {
  readonly fusion: 'audio';
  readonly head: HeadSpec;
}

export interface VisualDesign {
  readonly fusion: 'visual';
  readonly encoder: EncoderSpec;
  readonly head: HeadSpec;
}

/** Log-mel and visual features, both folded to the same number of rows, lie side by side in one map. */
export interface EarlyDesign extends AudioBranch {
  readonly fusion: 'early';
  readonly rows: number;
  readonly head: HeadSpec;
}

/** Features of the same moment are fused, then encoded. `branchHeads`: whether training gives each branch a head too. */
export interface MidDesign {
  readonly fusion: 'mid';
  readonly trunk: AudioTrunk;
  readonly operator: FusionOperator;
  readonly width: number;
  readonly encoder: EncoderSpec;
  readonly head: HeadSpec;
  readonly branchHeads: 'training' | 'none';
}

/** Each branch is encoded by itself, then they are fused. */
export interface LateDesign {
  readonly fusion: 'late';
  readonly audio: AudioBranch;
  readonly visual: EncoderSpec;
  readonly operator: FusionOperator;
  readonly width: number;
  readonly head: HeadSpec;
  readonly branchHeads: 'training' | 'none';
}

/** Two whole victims; p = share x p(audio) + (1 - share) x p(visual), as logits. */
export interface DecisionDesign {
  readonly fusion: 'decision';
  readonly audio: AudioBranch;
  readonly visual: EncoderSpec;
  readonly head: HeadSpec;
  /** In (0, 1). */
  readonly audioShare: number;
}

export type Design = AudioDesign | VisualDesign | EarlyDesign | MidDesign | LateDesign | DecisionDesign;

/** A design on waveform and frames. */
export interface MediaSpec extends Inputs {
  readonly fusion: FusionVariant;
  readonly design: Design;
  /** Convolutions over a moment's patches; its mean over the picture is the moment's feature. */
  readonly video: readonly ConvolutionSpec[];
}

/** A design on features computed beforehand: `log-mel` `[batch, steps, bands]` and `frame-features` `[batch, moments, width]`. */
export interface FeatureSpec {
  readonly fusion: FusionVariant;
  readonly design: Design;
  readonly logMel: { readonly steps: number; readonly bands: number };
  readonly frameFeatures: { readonly moments: number; readonly width: number };
  readonly labels: number;
}
