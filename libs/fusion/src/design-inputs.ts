import { moments, perMoment, stack } from './branches.ts';
import type { FeatureSpec, MediaSpec } from './designs.ts';
import { logMel, timeSteps } from './front-end.ts';
import type { LayerBuilder } from './layers.ts';
import type { Sequence, TimeFrequencyMap } from './sequence.ts';

/** Declares the input of what is heard -> log-mel `[batch, 1, steps, bands]`, named `audio.log-mel`. */
export function heard(layers: LayerBuilder, spec: MediaSpec | FeatureSpec): TimeFrequencyMap {
  const g = layers.graph;
  if ('logMel' in spec) {
    const { steps, bands } = spec.logMel;
    const input = g.input('log-mel', ['batch', steps, bands]);
    const value = g.op('Reshape', [input, g.ints([-1, 1, steps, bands])], {}, 'audio.log-mel');
    return { value, channels: 1, steps, bands };
  }
  const waveform = g.input('waveform', ['batch', spec.waveform.samples]);
  const value = logMel(g, waveform, spec.waveform, spec.frontEnd);
  return { value, channels: 1, steps: timeSteps(spec.waveform, spec.frontEnd), bands: spec.frontEnd.bands };
}

/** Declares the input of what is seen -> a feature vector a moment; names those of pictures `video.features`. */
export function seen(layers: LayerBuilder, spec: MediaSpec | FeatureSpec, taps: string[]): Sequence {
  const g = layers.graph;
  if ('frameFeatures' in spec) {
    const { moments: steps, width } = spec.frameFeatures;
    return { value: g.input('frame-features', ['batch', steps, width]), steps, width };
  }
  const { frames, height, width } = spec.frames;
  const pictures = moments(layers, g.input('frames', ['batch', frames, 3, height, width]), spec);
  const points = layers.patchConvolution('video.0', pictures, spec.patches);
  const each = perMoment(layers, stack(layers, 'video', points, spec.video), pictures.count);
  taps.push('video.features');
  return { value: g.op('Identity', [each.value], {}, 'video.features'), steps: pictures.count, width: each.channels };
}
