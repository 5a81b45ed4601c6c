import type {
  AttentionSpec,
  AudioBranch,
  AudioTrunk,
  ConvolutionalTrunk,
  Design,
  EncoderSpec,
  FusionOperator,
  HeadSpec,
  MediaSpec,
} from './designs.ts';
import type { VictimSpec } from './specs.ts';
import { AUDIO, conv, INPUTS, overFrequency, overTime, VICTIM_SPECS, VIDEO } from './victim-specs.ts';

const WIDTH = 96;
const NONE: EncoderSpec = { kind: 'none' };
const MEAN_MAX: HeadSpec = { kind: 'mean-max', embedding: INPUTS.embedding };
const ATTENTION_HEAD: HeadSpec = { kind: 'attention' };

const onMedia = (design: Design): MediaSpec => ({ ...INPUTS, fusion: design.fusion, design, video: VIDEO });

/** The reference victims' audio branch. */
const BRANCH: AudioBranch = { trunk: { kind: 'convolutional', blocks: AUDIO, bands: 'averaged' }, encoder: NONE };

/** A branch that keeps 16 steps of time, for encoders to work on. */
const LONG: ConvolutionalTrunk = {
  kind: 'convolutional',
  blocks: [conv(16, 2), conv(32, 2), conv(40, 2), conv(48, 1), overFrequency(80)],
  bands: 'stacked',
};
const ENCODER: AttentionSpec = {
  kind: 'attention',
  width: WIDTH,
  heads: 4,
  feedForward: WIDTH,
  layers: 1,
  applications: 2,
  form: 'after',
};

const audio = (trunk: AudioTrunk, encoder: EncoderSpec): MediaSpec =>
  onMedia({ fusion: 'audio', trunk, encoder, head: ATTENTION_HEAD });

const mid = (operator: FusionOperator): MediaSpec =>
  onMedia({
    fusion: 'mid',
    trunk: BRANCH.trunk,
    operator,
    width: WIDTH,
    encoder: { kind: 'temporal', blocks: [overTime(WIDTH), overTime(WIDTH)] },
    head: MEAN_MAX,
    branchHeads: 'training',
  });

const late = (operator: FusionOperator): MediaSpec =>
  onMedia({
    fusion: 'late',
    audio: BRANCH,
    visual: NONE,
    operator,
    width: WIDTH,
    head: MEAN_MAX,
    branchHeads: 'training',
  });

/** Every architecture small enough to train on two cores in minutes; early, mid and late are the reference victims. */
export const LAPTOP = {
  audio: onMedia({ fusion: 'audio', ...BRANCH, head: MEAN_MAX }),
  'audio-attention': audio(LONG, ENCODER),
  'audio-no-residuals': audio(LONG, { ...ENCODER, form: 'no-residuals' }),
  'audio-crnn': audio(LONG, { kind: 'recurrent', hidden: 48, directions: 2 }),
  'audio-resnet': audio(
    {
      kind: 'residual',
      stem: conv(16, 2),
      block: 'basic',
      stages: [
        { blocks: 1, channels: 16, stride: 1 },
        { blocks: 1, channels: 32, stride: 2 },
        { blocks: 1, channels: 64, stride: 2 },
        { blocks: 1, channels: 96, stride: 2 },
      ],
    },
    NONE,
  ),
  'audio-patches': audio(
    { kind: 'patches', size: [8, 8], width: 64 },
    { kind: 'attention', width: 64, heads: 4, feedForward: 128, layers: 4, applications: 1, form: 'before' },
  ),
  visual: onMedia({ fusion: 'visual', encoder: NONE, head: MEAN_MAX }),
  early: VICTIM_SPECS.early,
  mid: VICTIM_SPECS.mid,
  'mid-sum': mid('sum'),
  'mid-concat': mid('concat'),
  'mid-film': mid('film'),
  'mid-gated': mid('gated'),
  late: VICTIM_SPECS.late,
  'late-sum': late('sum'),
  'late-concat': late('concat'),
  'late-film': late('film'),
  'late-gated': late('gated'),
  decision: onMedia({ fusion: 'decision', audio: BRANCH, visual: NONE, head: MEAN_MAX, audioShare: 0.6 }),
} as const satisfies Readonly<Record<string, VictimSpec>>;
