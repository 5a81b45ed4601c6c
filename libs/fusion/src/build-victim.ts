import { type Graph, OnnxError } from '@faultline/onnx';
import { moments, perMoment, stack, summarise } from './branches.ts';
import { buildDesign } from './build-design.ts';
import type { FeatureSpec, MediaSpec } from './designs.ts';
import { LOG_MEL_UNIT_DECIBELS, logMel, timeSteps } from './front-end.ts';
import { HEAD_BIAS } from './heads.ts';
import { type Features, LayerBuilder, type Parameter, type Purpose, type Statistics } from './layers.ts';
import type { EarlySpec, LateSpec, MidSpec, ReferenceSpec, VictimSpec } from './specs.ts';

/** An inner value worth reading or perturbing. */
export interface VictimTap {
  readonly name: string;
  readonly value: string;
  /** Of the front end's log-mel: decibels of band power that a difference of 1 stands for. */
  readonly logMel: { readonly decibels: number } | undefined;
}

/** A modality's input; `dims` are those of one example. */
export interface VictimInput {
  readonly name: string;
  readonly modality: 'audio' | 'visual';
  readonly dims: readonly number[];
}

/** A victim as a graph: output `logits` `[batch, labels]`. */
export interface VictimGraph {
  readonly graph: Graph;
  /** What it hears and sees; the graph's other inputs are weights and statistics. A single modality has one. */
  readonly inputs: readonly VictimInput[];
  readonly parameters: readonly Parameter[];
  readonly statistics: readonly Statistics[];
  readonly taps: readonly VictimTap[];
  /** Logits of single branches, further outputs of a training graph: learning one modality cannot stall the other. */
  readonly auxiliaryLogits: readonly string[];
}

/** A tap whose value carries its public name. */
const tap = (name: string): VictimTap => ({ name, value: name, logMel: undefined });

/** The log-mel that the front end makes of a waveform. */
const logMelTap: VictimTap = { ...tap('audio.log-mel'), logMel: { decibels: LOG_MEL_UNIT_DECIBELS } };

interface Body {
  readonly logits: string;
  readonly taps: readonly VictimTap[];
  readonly auxiliary: readonly string[];
}

interface Sources {
  readonly waveform: string;
  readonly frames: string;
}

/** Every input that a victim may have. */
const MODALITIES: Readonly<Record<string, VictimInput['modality']>> = {
  waveform: 'audio',
  'log-mel': 'audio',
  frames: 'visual',
  'frame-features': 'visual',
};

/**
 * Builds a victim for training, evaluation or export.
 * @throws OnnxError when sizes in the spec do not fit, or an exported weight is missing or misshapen.
 */
export function buildVictim(spec: VictimSpec | FeatureSpec, purpose: Purpose = { kind: 'training' }): VictimGraph {
  const layers = new LayerBuilder(purpose);
  const { logits, taps, auxiliary } = 'design' in spec ? designed(layers, spec) : reference(layers, spec);
  layers.finish(logits, spec.labels, auxiliary);
  const graph = layers.graph.graph(spec.fusion);
  return {
    graph,
    inputs: graph.inputs.flatMap(({ name, dims = [] }) => {
      const modality = MODALITIES[name];
      return modality === undefined ? [] : [{ name, modality, dims: dims.slice(1).map(Number) }];
    }),
    parameters: layers.parameters,
    statistics: layers.statistics,
    taps,
    auxiliaryLogits: purpose.kind === 'training' ? auxiliary : [],
  };
}

function designed(layers: LayerBuilder, spec: MediaSpec | FeatureSpec): Body {
  const { logits, taps, auxiliary } = buildDesign(layers, spec);
  // Features that come from elsewhere are in a unit that nobody told.
  const known = (name: string) => (name === logMelTap.name && 'waveform' in spec ? logMelTap : tap(name));
  return { logits, taps: taps.map(known), auxiliary };
}

function reference(layers: LayerBuilder, spec: ReferenceSpec): Body {
  const { waveform, frames } = spec;
  const sources: Sources = {
    waveform: layers.graph.input('waveform', ['batch', waveform.samples]),
    frames: layers.graph.input('frames', ['batch', frames.frames, 3, frames.height, frames.width]),
  };
  const { logits, taps, auxiliary } = body(layers, spec, sources);
  return { logits, taps: [logMelTap, ...taps], auxiliary };
}

function body(layers: LayerBuilder, spec: ReferenceSpec, sources: Sources): Body {
  switch (spec.fusion) {
    case 'early':
      return early(layers, spec, sources);
    case 'mid':
      return mid(layers, spec, sources);
    case 'late':
      return late(layers, spec, sources);
  }
}

function embed(layers: LayerBuilder, layer: string, x: Features, spec: ReferenceSpec, as: string): string {
  return layers.graph.op('Relu', [layers.dense(layer, x.value, x.channels, spec.embedding)], {}, as);
}

function head(layers: LayerBuilder, layer: string, embedding: string, spec: ReferenceSpec, as: string): string {
  return layers.dense(layer, embedding, spec.embedding, spec.labels, { bias: HEAD_BIAS, as });
}

/** A head that training alone has: an exported victim neither holds nor computes it. */
function auxiliaryHead(layers: LayerBuilder, branch: string, x: Features, spec: ReferenceSpec): string[] {
  if (layers.purpose !== 'training') return [];
  const bias = HEAD_BIAS;
  return [layers.dense(`${branch}.head`, x.value, x.channels, spec.labels, { bias, as: `${branch}.logits` })];
}

/** Log-mel -> `[batch, channels, time, bands]`. */
function audioFeatures(layers: LayerBuilder, spec: MidSpec | LateSpec, waveform: string): Features {
  const input = logMel(layers.graph, waveform, spec.waveform, spec.frontEnd);
  return stack(layers, 'audio', { value: input, channels: 1 }, spec.audio);
}

/** Frames -> `[batch, moments, channels]`. */
function videoFeatures(layers: LayerBuilder, spec: MidSpec | LateSpec, frames: string): Features {
  const pictures = moments(layers, frames, spec);
  const points = layers.patchConvolution('video.0', pictures, spec.patches);
  return perMoment(layers, stack(layers, 'video', points, spec.video), pictures.count);
}

/** The branches are named as the victims of single modalities, so that theirs can be its first weights. */
function late(layers: LayerBuilder, spec: LateSpec, { waveform, frames }: Sources): Body {
  const g = layers.graph;
  const maps = audioFeatures(layers, spec, waveform);
  const overBands = { value: g.reduceMean(maps.value, [3], false), channels: maps.channels };
  const audio = embed(layers, 'audio.head.embed', summarise(layers, overBands, 2), spec, 'audio.embedding');
  const seen = summarise(layers, videoFeatures(layers, spec, frames), 1);
  const video = embed(layers, 'video.head.embed', seen, spec, 'video.embedding');
  const share = (name: string) => layers.parameter(name, [1], { kind: 'constant', value: 1 });
  const weighted = [g.times(audio, share('fusion.audio')), g.times(video, share('fusion.video'))];
  const fused = g.op('Add', weighted, {}, 'fused');
  const hidden = embed(layers, 'fusion.embed', { value: fused, channels: spec.embedding }, spec, 'embedding');
  return {
    logits: head(layers, 'head', hidden, spec, 'logits'),
    taps: ['audio.embedding', 'video.embedding', 'fused', 'embedding'].map(tap),
    auxiliary: [
      ...auxiliaryHead(layers, 'audio', { value: audio, channels: spec.embedding }, spec),
      ...auxiliaryHead(layers, 'video', { value: video, channels: spec.embedding }, spec),
    ],
  };
}

function mid(layers: LayerBuilder, spec: MidSpec, { waveform, frames }: Sources): Body {
  const g = layers.graph;
  const maps = audioFeatures(layers, spec, waveform);
  const seenEach = videoFeatures(layers, spec, frames);
  const count = spec.frames.frames / spec.patches.frames;
  // A moment's time steps and bands are neighbours in memory, so one mean takes both.
  const heardEach = g.reshape(maps.value, [0, maps.channels, count, -1]);
  const heard = g.op('ReduceMean', [heardEach, g.ints([3])], {}, 'audio.embedding');
  const seen = g.op(
    'Reshape',
    [g.transpose(seenEach.value, [0, 2, 1]), g.ints([-1, seenEach.channels, count, 1])],
    {},
    'video.embedding',
  );
  const fused = g.op('Concat', [heard, seen], { axis: { type: 'int', value: 1 } }, 'fused');
  const joint = stack(layers, 'temporal', { value: fused, channels: maps.channels + seenEach.channels }, spec.temporal);
  return {
    logits: temporalHead(layers, spec, joint),
    taps: ['audio.embedding', 'video.embedding', 'fused', 'embedding'].map(tap),
    auxiliary: [
      ...auxiliaryHead(layers, 'audio', meanOverTime(layers, { value: heard, channels: maps.channels }), spec),
      ...auxiliaryHead(layers, 'video', meanOverTime(layers, { value: seen, channels: seenEach.channels }), spec),
    ],
  };
}

function meanOverTime(layers: LayerBuilder, x: Features): Features {
  return { value: layers.graph.reduceMean(x.value, [2, 3], false), channels: x.channels };
}

/** `[batch, channels, time, 1]` -> logits. */
function temporalHead(layers: LayerBuilder, spec: ReferenceSpec, x: Features): string {
  const overTime = { value: layers.graph.reduceMean(x.value, [3], false), channels: x.channels };
  const embedding = embed(layers, 'fusion.embed', summarise(layers, overTime, 2), spec, 'embedding');
  return head(layers, 'head', embedding, spec, 'logits');
}

function early(layers: LayerBuilder, spec: EarlySpec, { waveform, frames }: Sources): Body {
  const g = layers.graph;
  const pictures = moments(layers, frames, spec);
  const { count } = pictures;
  const [rows, columns] = [pictures.height / spec.patches.side, pictures.width / spec.patches.side];

  // A moment's slice of the log-mel lies on the picture's grid: time downwards, frequency across.
  const mel = logMel(g, waveform, spec.waveform, spec.frontEnd);
  const steps = timeSteps(spec.waveform, spec.frontEnd) / count / rows;
  const bands = spec.frontEnd.bands / columns;
  if (!Number.isInteger(steps) || !Number.isInteger(bands)) {
    throw new OnnxError(`the log-mel of a moment does not fill a grid of ${rows} x ${columns} patches`);
  }
  const slices = g.transpose(g.reshape(mel, [-1, rows, steps, columns, bands]), [0, 2, 4, 1, 3]);
  const beside = { value: g.reshape(slices, [-1, steps * bands, rows, columns]), channels: steps * bands };
  const met = layers.patchConvolution('joint.0', pictures, spec.patches, beside);
  const maps = stack(layers, 'joint', met, spec.joint);
  const cells = spec.joint.reduce((size, { stride }) => size / (stride[0] * stride[1]), rows * columns);
  const moment = maps.channels * cells;
  const sequence = g.transpose(g.reshape(maps.value, [-1, count, moment]), [0, 2, 1]);
  const byTime = { value: g.reshape(sequence, [-1, moment, count, 1]), channels: moment };
  const joint = stack(layers, 'temporal', byTime, spec.temporal);
  return {
    logits: temporalHead(layers, spec, joint),
    taps: [{ ...tap('fused'), value: met.value }, tap('embedding')],
    auxiliary: [],
  };
}
