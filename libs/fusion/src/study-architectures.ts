import type {
  AttentionSpec,
  AudioBranch,
  AudioTrunk,
  ConvolutionalTrunk,
  Design,
  EncoderSpec,
  FeatureSpec,
  FusionOperator,
  HeadSpec,
} from './designs.ts';
import type { LAPTOP } from './laptop-architectures.ts';
import type { ConvolutionSpec } from './specs.ts';

// The founding study's models (arXiv 2011.07430): 10 s of AudioSet as a log-mel and one feature vector a second.
const LABELS = 527;
const WIDTH = 1024;
const VISUAL_WIDTH = 2048;

const onFeatures = (design: Design): FeatureSpec => ({
  fusion: design.fusion,
  design,
  logMel: { steps: 400, bands: 64 },
  frameFeatures: { moments: 10, width: VISUAL_WIDTH },
  labels: LABELS,
});

/** Two blocks of as many channels; a pool follows the second. */
const pair = (channels: number, pool: readonly [number, number]): readonly ConvolutionSpec[] => {
  const block: ConvolutionSpec = { channels, kernel: [3, 3], stride: [1, 1] };
  return [block, { ...block, pool }];
};

/** 400 x 64 -> 100 steps of 512 channels x 2 bands. */
const CNN: ConvolutionalTrunk = {
  kind: 'convolutional',
  blocks: [...pair(32, [2, 2]), ...pair(64, [2, 2]), ...pair(128, [1, 2]), ...pair(256, [1, 2]), ...pair(512, [1, 2])],
  bands: 'stacked',
};

/** One layer applied twice. */
const ENCODER: AttentionSpec = {
  kind: 'attention',
  width: WIDTH,
  heads: 8,
  // The study's counts fit this width.
  feedForward: 1024,
  layers: 1,
  applications: 2,
  form: 'after',
};
/** Its counts give 1280 for the hidden layer of the visual encoder, if all else is the audio's at twice the width. */
const VISUAL_ENCODER: AttentionSpec = { ...ENCODER, width: VISUAL_WIDTH, feedForward: 1280 };

const NONE: EncoderSpec = { kind: 'none' };
const HEAD: HeadSpec = { kind: 'attention' };
const BRANCH: AudioBranch = { trunk: CNN, encoder: ENCODER };

const audio = (trunk: AudioTrunk, encoder: EncoderSpec): FeatureSpec =>
  onFeatures({ fusion: 'audio', trunk, encoder, head: HEAD });

const mid = (operator: FusionOperator): FeatureSpec =>
  onFeatures({
    fusion: 'mid',
    trunk: CNN,
    operator,
    width: WIDTH,
    encoder: ENCODER,
    head: HEAD,
    branchHeads: 'none',
  });

const late = (operator: FusionOperator): FeatureSpec =>
  onFeatures({
    fusion: 'late',
    audio: BRANCH,
    visual: VISUAL_ENCODER,
    operator,
    width: WIDTH,
    head: HEAD,
    branchHeads: 'training',
  });

/** Every architecture at the founding study's size, on features computed beforehand. */
export const STUDY = {
  audio: audio(CNN, ENCODER),
  'audio-attention': audio(CNN, ENCODER),
  'audio-no-residuals': audio(CNN, { ...ENCODER, form: 'no-residuals' }),
  'audio-crnn': audio(CNN, { kind: 'recurrent', hidden: 512, directions: 2 }),
  'audio-resnet': audio(
    {
      kind: 'residual',
      stem: { channels: 64, kernel: [7, 7], stride: [2, 2], pool: [2, 2] },
      block: 'bottleneck',
      stages: [
        { blocks: 3, channels: 64, stride: 1 },
        { blocks: 4, channels: 128, stride: 2 },
        { blocks: 6, channels: 256, stride: 2 },
        { blocks: 3, channels: 512, stride: 2 },
      ],
    },
    NONE,
  ),
  // As wide and deep as the small vision transformer of Touvron et al., 2021.
  'audio-patches': audio(
    { kind: 'patches', size: [16, 16], width: 384 },
    { kind: 'attention', width: 384, heads: 6, feedForward: 1536, layers: 12, applications: 1, form: 'before' },
  ),
  visual: onFeatures({ fusion: 'visual', encoder: VISUAL_ENCODER, head: HEAD }),
  early: onFeatures({ fusion: 'early', rows: 80, ...BRANCH, head: HEAD }),
  mid: mid('concat'),
  'mid-sum': mid('sum'),
  'mid-concat': mid('concat'),
  'mid-film': mid('film'),
  'mid-gated': mid('gated'),
  late: late('sum'),
  'late-sum': late('sum'),
  'late-concat': late('concat'),
  'late-film': late('film'),
  'late-gated': late('gated'),
  decision: onFeatures({
    fusion: 'decision',
    audio: BRANCH,
    visual: VISUAL_ENCODER,
    head: HEAD,
    audioShare: 0.6,
  }),
} as const satisfies Readonly<Record<keyof typeof LAPTOP, FeatureSpec>>;
