import { OnnxError } from '@faultline/onnx';
import { audioTrunk } from './audio-trunks.ts';
import { heard, seen } from './design-inputs.ts';
import type {
  AudioBranch,
  DecisionDesign,
  Design,
  EarlyDesign,
  FeatureSpec,
  HeadSpec,
  LateDesign,
  MediaSpec,
  MidDesign,
} from './designs.ts';
import { encodeSequence } from './encoders.ts';
import { fuse } from './fusion-operators.ts';
import { sequenceHead } from './heads.ts';
import type { LayerBuilder } from './layers.ts';
import { mixProbabilities } from './mix-probabilities.ts';
import type { Sequence, TimeFrequencyMap } from './sequence.ts';

/** What a design computes: logits, inner values by name, logits of single branches. */
export interface DesignBody {
  readonly logits: string;
  readonly taps: readonly string[];
  readonly auxiliary: readonly string[];
}

/** One victim on its way. */
interface Site {
  readonly layers: LayerBuilder;
  readonly spec: MediaSpec | FeatureSpec;
  readonly taps: string[];
}

/**
 * Writes a design's layers.
 * @throws OnnxError when its sizes do not fit.
 */
export function buildDesign(layers: LayerBuilder, spec: MediaSpec | FeatureSpec): DesignBody {
  const site: Site = { layers, spec, taps: [] };
  if (spec.design.fusion !== 'visual') site.taps.push('audio.log-mel');
  const { logits, auxiliary } = body(site, spec.design);
  return { logits, taps: site.taps, auxiliary };
}

function body(site: Site, design: Design): Omit<DesignBody, 'taps'> {
  switch (design.fusion) {
    case 'audio':
      return { logits: head(site, 'audio.head', audioBranch(site, design), design.head, 'logits'), auxiliary: [] };
    case 'visual': {
      const branch = encoded(site, 'video', seen(site.layers, site.spec, site.taps), design);
      return { logits: head(site, 'video.head', branch, design.head, 'logits'), auxiliary: [] };
    }
    case 'early':
      return early(site, design);
    case 'mid':
      return mid(site, design);
    case 'late':
      return late(site, design);
    case 'decision':
      return decision(site, design);
  }
}

/** A sequence named `<branch>.features` where a trunk made it, encoded and named `<branch>.sequence` where an encoder did. */
function encoded(site: Site, branch: string, x: Sequence, { encoder }: Pick<AudioBranch, 'encoder'>): Sequence {
  if (encoder.kind === 'none') return x;
  const y = encodeSequence(site.layers, branch, x, encoder, site.taps);
  return named(site, y, `${branch}.sequence`);
}

function named({ layers, taps }: Site, x: Sequence, name: string): Sequence {
  taps.push(name);
  return { ...x, value: layers.graph.op('Identity', [x.value], {}, name) };
}

function audioFeatures(site: Site, { trunk }: Pick<AudioBranch, 'trunk'>): Sequence {
  const map = heard(site.layers, site.spec);
  return named(site, audioTrunk(site.layers, 'audio', map, trunk, site.taps), 'audio.features');
}

const audioBranch = (site: Site, branch: AudioBranch): Sequence =>
  encoded(site, 'audio', audioFeatures(site, branch), branch);

function head({ layers, spec, taps }: Site, layer: string, x: Sequence, form: HeadSpec, as: string): string {
  return sequenceHead(layers, layer, x, form, spec.labels, as, taps);
}

/** Heads of the branches, which training alone has; so their inner values are no taps of the victim. */
function branchHeads(site: Site, audio: Sequence, visual: Sequence, design: MidDesign | LateDesign): string[] {
  if (site.layers.purpose !== 'training' || design.branchHeads === 'none') return [];
  const apart = { ...site, taps: [] };
  return [
    head(apart, 'audio.head', audio, design.head, 'audio.logits'),
    head(apart, 'video.head', visual, design.head, 'video.logits'),
  ];
}

function early(site: Site, design: EarlyDesign): Omit<DesignBody, 'taps'> {
  const { layers, spec } = site;
  const map = heard(layers, spec);
  const visual = seen(layers, spec, site.taps);
  const folded = (value: string, elements: number) => {
    const bands = elements / design.rows;
    if (Number.isInteger(bands)) return { value: layers.graph.reshape(value, [-1, 1, design.rows, bands]), bands };
    throw new OnnxError(`${elements} values do not fill ${design.rows} rows; change design.rows`);
  };
  const sound = folded(map.value, map.steps * map.bands);
  const picture = folded(visual.value, visual.steps * visual.width);
  const value = layers.graph.op('Concat', [sound.value, picture.value], { axis: { type: 'int', value: 3 } }, 'fused');
  site.taps.push('fused');
  const met: TimeFrequencyMap = { value, channels: 1, steps: design.rows, bands: sound.bands + picture.bands };
  const features = named(site, audioTrunk(layers, 'joint', met, design.trunk, site.taps), 'joint.features');
  return { logits: head(site, 'head', encoded(site, 'joint', features, design), design.head, 'logits'), auxiliary: [] };
}

function mid(site: Site, design: MidDesign): Omit<DesignBody, 'taps'> {
  const audio = audioFeatures(site, design);
  const visual = seen(site.layers, site.spec, site.taps);
  const fused = fuse(site.layers, design.operator, grouped(site, audio, visual), visual, design.width);
  site.taps.push('fused');
  const joint = encoded(site, 'joint', fused, design);
  return {
    logits: head(site, 'head', joint, design.head, 'logits'),
    auxiliary: branchHeads(site, audio, visual, design),
  };
}

function late(site: Site, design: LateDesign): Omit<DesignBody, 'taps'> {
  const audio = audioBranch(site, design.audio);
  const visual = encoded(site, 'video', seen(site.layers, site.spec, site.taps), { encoder: design.visual });
  const fused = fuse(site.layers, design.operator, averaged(site, audio, visual), visual, design.width);
  site.taps.push('fused');
  return {
    logits: head(site, 'head', fused, design.head, 'logits'),
    auxiliary: branchHeads(site, audio, visual, design),
  };
}

/** Parameters are named as in the victims of single modalities: their weights, put together, make this one's. */
function decision(site: Site, design: DecisionDesign): Omit<DesignBody, 'taps'> {
  const audio = audioBranch(site, design.audio);
  const visual = encoded(site, 'video', seen(site.layers, site.spec, site.taps), { encoder: design.visual });
  const auxiliary = [
    head(site, 'audio.head', audio, design.head, 'audio.logits'),
    head(site, 'video.head', visual, design.head, 'video.logits'),
  ] as const;
  site.taps.push(...auxiliary);
  return { logits: mixProbabilities(site.layers.graph, ...auxiliary, design.audioShare, 'logits'), auxiliary };
}

/** The audio steps of one moment side by side: `[batch, moments, steps of a moment x width]`. */
function grouped({ layers }: Site, audio: Sequence, visual: Sequence): Sequence {
  const width = stepsOfMoment(audio, visual) * audio.width;
  return { value: layers.graph.reshape(audio.value, [-1, visual.steps, width]), steps: visual.steps, width };
}

/** The mean over the audio steps of one moment: `[batch, moments, width]`. */
function averaged({ layers }: Site, audio: Sequence, visual: Sequence): Sequence {
  const each = layers.graph.reshape(audio.value, [-1, visual.steps, stepsOfMoment(audio, visual), audio.width]);
  return { value: layers.graph.reduceMean(each, [2], false), steps: visual.steps, width: audio.width };
}

function stepsOfMoment(audio: Sequence, visual: Sequence): number {
  const steps = audio.steps / visual.steps;
  if (Number.isInteger(steps)) return steps;
  throw new OnnxError(
    `${audio.steps} steps of audio do not divide into ${visual.steps} moments of pictures; change the strides of the trunk`,
  );
}
