import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DenseTensor, victim } from '@faultline/contracts';
import { decodeMedia, type InputSpecification } from '@faultline/media';
import { exampleDims } from '@faultline/victim';
import { readClips, type Stratum } from '../shipped-clips.ts';

/** Clips as a victim takes them, one a row, with all that an attack and its evaluation need. */
export interface AttackedClips {
  /** By input, `[clips, ...]`, floats. */
  readonly inputs: ReadonlyMap<string, DenseTensor<Float32Array>>;
  /** `[clips, labels]`, 0/1. */
  readonly targets: DenseTensor<Float32Array>;
  /** Digests of the media, which key the attack's noise. */
  readonly sha256: readonly string[];
  /** Independence groups of each clip's sources. */
  readonly groups: readonly (readonly string[])[];
}

/** @throws RangeError when the set has fewer clips of the stratum, or a clip has a label that the victim does not know. */
export async function loadAttackedClips(
  card: victim.Card,
  dir: string,
  stratum: Stratum,
  count: number,
): Promise<AttackedClips> {
  const clips = (await readClips(dir)).filter((clip) => clip.stratum === stratum).slice(0, count);
  if (clips.length < count) {
    throw new RangeError(`${dir} has ${clips.length} clips of stratum ${stratum}; ask for at most as many`);
  }
  const inputs = new Map(
    card.inputs.map((input): [string, DenseTensor<Float32Array>] => {
      const dims = exampleDims(input);
      const size = dims.reduce((product, length) => product * length, 1);
      return [input.name, { dims: [count, ...dims], data: new Float32Array(count * size) }];
    }),
  );
  const sha256: string[] = [];
  for (const [row, { file }] of clips.entries()) {
    const media = await readFile(join(dir, file));
    sha256.push(createHash('sha256').update(media).digest('hex'));
    const decoded = await decodeMedia(media, card.inputs.map(specificationOf));
    for (const [index, { name }] of card.inputs.entries()) {
      const values = decoded[index]?.data ?? [];
      const floats = values instanceof Uint8Array ? Float32Array.from(values, (value) => value / 255) : values;
      inputs.get(name)?.data.set(floats, row * floats.length);
    }
  }
  const labels = card.labels.map(({ label }) => label);
  const unknown = clips.flatMap((clip) => clip.labels).find((label) => !labels.includes(label));
  if (unknown !== undefined) throw new RangeError(`the clips have the label '${unknown}', the victim does not`);
  const targets = clips.flatMap((clip) => labels.map((label) => Number(clip.labels.includes(label))));
  return {
    inputs,
    targets: { dims: [count, labels.length], data: Float32Array.from(targets) },
    sha256,
    groups: clips.map(({ groups }) => groups),
  };
}

function specificationOf({ name, kind }: victim.InputSpecification): InputSpecification {
  if (kind === undefined) throw new RangeError(`input '${name}' of the card says no kind; give waveform or frames`);
  return kind.$case === 'waveform' ? { kind: 'waveform', ...kind.value } : { kind: 'frames', ...kind.value };
}
