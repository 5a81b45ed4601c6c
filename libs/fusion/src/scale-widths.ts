import type { AudioBranch, AudioTrunk, Design, EncoderSpec, FeatureSpec, HeadSpec } from './designs.ts';
import type { ConvolutionSpec, ReferenceSpec, VictimSpec } from './specs.ts';

/** What a factor makes of a width; results are multiples of `of`, at least one. */
type Scale = (width: number, of?: number) => number;

/** The same architecture with all inner widths, not its inputs and labels, about `factor` times as wide. */
export function scaleWidths<S extends VictimSpec | FeatureSpec>(spec: S, factor: number): S;
export function scaleWidths(spec: VictimSpec | FeatureSpec, factor: number): VictimSpec | FeatureSpec {
  const scale: Scale = (width, of = 1) => Math.max(1, Math.round((width * factor) / of)) * of;
  if ('logMel' in spec) return { ...spec, design: scaleDesign(spec.design, scale) };
  const inputs = {
    patches: { ...spec.patches, channels: scale(spec.patches.channels) },
    embedding: scale(spec.embedding),
  };
  if (!('design' in spec)) return { ...scaleReference(spec, scale), ...inputs };
  return { ...spec, ...inputs, video: scaleBlocks(spec.video, scale), design: scaleDesign(spec.design, scale) };
}

const scaleBlocks = (blocks: readonly ConvolutionSpec[], scale: Scale): readonly ConvolutionSpec[] =>
  blocks.map((block) => ({ ...block, channels: scale(block.channels) }));

function scaleReference(spec: ReferenceSpec, scale: Scale): ReferenceSpec {
  switch (spec.fusion) {
    case 'early':
      return { ...spec, joint: scaleBlocks(spec.joint, scale), temporal: scaleBlocks(spec.temporal, scale) };
    case 'mid':
      return { ...spec, ...scaleReferenceBranches(spec, scale), temporal: scaleBlocks(spec.temporal, scale) };
    case 'late':
      return { ...spec, ...scaleReferenceBranches(spec, scale) };
  }
}

const scaleReferenceBranches = (
  { audio, video }: { readonly audio: readonly ConvolutionSpec[]; readonly video: readonly ConvolutionSpec[] },
  scale: Scale,
) => ({ audio: scaleBlocks(audio, scale), video: scaleBlocks(video, scale) });

function scaleDesign(design: Design, scale: Scale): Design {
  const head = scaleHead(design.head, scale);
  switch (design.fusion) {
    case 'audio':
    case 'early':
      return { ...design, ...scaleBranch(design, scale), head };
    case 'visual':
      return { ...design, encoder: scaleEncoder(design.encoder, scale), head };
    case 'mid': {
      const branch = scaleBranch(design, scale);
      return { ...design, ...branch, width: scaleFusedWidth(design.width, branch.encoder, scale), head };
    }
    case 'late': {
      const audio = scaleBranch(design.audio, scale);
      const visual = scaleEncoder(design.visual, scale);
      return { ...design, audio, visual, width: scaleFusedWidth(design.width, audio.encoder, scale), head };
    }
    case 'decision':
      return { ...design, audio: scaleBranch(design.audio, scale), visual: scaleEncoder(design.visual, scale), head };
  }
}

const scaleBranch = ({ trunk, encoder }: AudioBranch, scale: Scale): AudioBranch => ({
  trunk: scaleTrunk(trunk, scale),
  encoder: scaleEncoder(encoder, scale),
});

function scaleTrunk(trunk: AudioTrunk, scale: Scale): AudioTrunk {
  switch (trunk.kind) {
    case 'convolutional':
      return { ...trunk, blocks: scaleBlocks(trunk.blocks, scale) };
    case 'residual':
      return {
        ...trunk,
        stem: { ...trunk.stem, channels: scale(trunk.stem.channels) },
        stages: trunk.stages.map((stage) => ({ ...stage, channels: scale(stage.channels) })),
      };
    case 'patches':
      return { ...trunk, width: scale(trunk.width) };
  }
}

function scaleEncoder(encoder: EncoderSpec, scale: Scale): EncoderSpec {
  switch (encoder.kind) {
    case 'attention':
      return { ...encoder, width: scale(encoder.width, encoder.heads), feedForward: scale(encoder.feedForward) };
    case 'recurrent':
      return { ...encoder, hidden: scale(encoder.hidden) };
    case 'temporal':
      return { ...encoder, blocks: scaleBlocks(encoder.blocks, scale) };
    case 'none':
      return encoder;
  }
}

/** A fused sequence that self-attention follows, or that meets one, keeps a width that the heads divide. */
const scaleFusedWidth = (width: number, encoder: EncoderSpec, scale: Scale): number =>
  encoder.kind === 'attention' ? scale(width, encoder.heads) : scale(width);

const scaleHead = (head: HeadSpec, scale: Scale): HeadSpec =>
  head.kind === 'mean-max' ? { ...head, embedding: scale(head.embedding) } : head;
