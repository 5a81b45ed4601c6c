import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DenseTensor, victim } from '@faultline/contracts';
import { decodeMedia, type InputSpecification } from '@faultline/media';
import type { Victim } from '@faultline/victim';

/** Clips as a victim takes them. */
export interface ClipBatch {
  /** By input, [clips, ...]. */
  readonly inputs: ReadonlyMap<string, DenseTensor>;
  /** Indices of the true labels of each clip. */
  readonly labels: readonly (readonly number[])[];
  readonly sha256: readonly string[];
}

/** The true labels as attacks take them, float32 [clips, count]: 1 at each, 0 elsewhere. */
export function targetsOf({ labels }: ClipBatch, count: number): DenseTensor<Float32Array> {
  const data = new Float32Array(labels.length * count);
  for (const [clip, active] of labels.entries()) for (const label of active) data[clip * count + label] = 1;
  return { dims: [labels.length, count], data };
}

interface ManifestClip {
  readonly file: string;
  readonly labels: readonly string[];
}

/** Which clips of a set are wanted. */
export interface Wanted {
  /** Beginning of their files' names. Default: any. */
  readonly files?: string;
  /** Those too of which the victim misses a label. */
  readonly wrongToo?: boolean;
}

/** The first `most` clips of a set of which the victim finds all labels: each true label is above its threshold. */
export async function loadClips(
  victimUnderTest: Victim,
  folder: string,
  most: number,
  { files = '', wrongToo = false }: Wanted = {},
): Promise<ClipBatch> {
  const { card } = await victimUnderTest.describe();
  const manifest: { readonly clips: readonly ManifestClip[] } = JSON.parse(
    await readFile(join(folder, 'manifest.json'), 'utf8'),
  );
  const kept: { inputs: Map<string, DenseTensor>; labels: number[]; sha256: string }[] = [];
  for (const { file, labels: names } of manifest.clips) {
    if (kept.length === most) break;
    if (!file.startsWith(files)) continue;
    const media = await readFile(join(folder, file));
    const decoded = await decodeMedia(media, card.inputs.map(specificationOf));
    const inputs = new Map(
      card.inputs.map(({ name }, index): [string, DenseTensor] => {
        const { dims = [], data = new Float32Array() } = decoded[index] ?? {};
        return [name, { dims: [1, ...dims], data }];
      }),
    );
    const labels = names.map((name) => card.labels.findIndex(({ label }) => label === name));
    const { logits } = await victimUnderTest.predict(inputs);
    const active = labels.every((label) => (logits.data[label] ?? 0) > (card.labels[label]?.threshold ?? 0));
    if (active || wrongToo) kept.push({ inputs, labels, sha256: createHash('sha256').update(media).digest('hex') });
  }
  return {
    inputs: new Map(card.inputs.map(({ name }) => [name, joined(kept.map(({ inputs }) => inputs.get(name)))])),
    labels: kept.map(({ labels }) => labels),
    sha256: kept.map(({ sha256 }) => sha256),
  };
}

function specificationOf({ name, kind }: victim.InputSpecification): InputSpecification {
  if (kind === undefined) throw new Error(`input '${name}' of the card says no kind`);
  return kind.$case === 'waveform' ? { kind: 'waveform', ...kind.value } : { kind: 'frames', ...kind.value };
}

/** Tensors [1, ...] as one [tensors, ...]. */
function joined(rows: readonly (DenseTensor | undefined)[]): DenseTensor {
  const [first] = rows;
  const size = first?.data.length ?? 0;
  const data =
    first?.data instanceof Uint8Array ? new Uint8Array(rows.length * size) : new Float32Array(rows.length * size);
  for (const [index, row] of rows.entries()) {
    if (row?.data instanceof Uint8Array || row?.data instanceof Float32Array) data.set(row.data, index * size);
  }
  return { dims: [rows.length, ...(first?.dims.slice(1) ?? [])], data };
}
