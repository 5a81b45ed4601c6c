import type { SetManifest } from '@faultline/dataset';
import { ARCHITECTURES, type ArchitectureName, type FeatureSpec, type VictimSpec } from '@faultline/fusion';

/**
 * The architecture for a set's labels: at the laptop size for media, at the founding study's for features.
 * @throws RangeError when the set's clips are not what the architecture takes.
 */
export function specFor(name: ArchitectureName, set: SetManifest): VictimSpec | FeatureSpec {
  const { laptop, study } = ARCHITECTURES[name];
  const labels = set.labels.length;
  if (set.kind === 'features') {
    const { logMel, frameFeatures } = study;
    const wanted = { audio: [logMel.steps, logMel.bands], video: [frameFeatures.moments, frameFeatures.width] };
    for (const [tensor, dims] of Object.entries(wanted)) expectDims(set, tensor, dims);
    return { ...study, labels };
  }
  const { waveform, frames } = laptop;
  expectDims(set, 'waveform', [waveform.samples]);
  expectDims(set, 'frames', [frames.frames, 3, frames.height, frames.width]);
  const { sampleRateHz, frameRateHz } = set.shape ?? {};
  if (sampleRateHz !== waveform.sampleRateHz || frameRateHz !== frames.frameRateHz) {
    throw new RangeError(
      `the set holds ${sampleRateHz} samples and ${frameRateHz} pictures a second, '${name}' takes ` +
        `${waveform.sampleRateHz} and ${frames.frameRateHz}; build or import it with these rates`,
    );
  }
  return { ...laptop, labels };
}

function expectDims({ tensors }: SetManifest, name: string, wanted: readonly number[]): void {
  const found = tensors[name];
  if (found?.join() === wanted.join()) return;
  const told = found === undefined ? `no '${name}'` : `'${name}' of [${found.join(', ')}]`;
  throw new RangeError(`the set holds ${told}; the architecture takes [${wanted.join(', ')}]`);
}
