import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { decodeMedia } from '@faultline/media';
import type { MediaShape } from '../set/media-shape.ts';
import { type NpyArray, readNpy } from '../set/npy.ts';
import { SetError } from '../set/set-manifest.ts';
import type { ClipTensors } from '../set/shards.ts';
import { parseCsv } from './csv.ts';
import type { ItemSource } from './import-item.ts';

/** The founding study's features of a 10 s clip: 400 steps of 64 log-mel bands, 10 picture embeddings of ResNet-50. */
export const FEATURE_DIMS = { audio: [400, 64], video: [10, 2048] } as const;

/** SHA-256 of what a clip is made of. */
export async function digestOf(source: ItemSource): Promise<string> {
  const hash = createHash('sha256');
  if (source.kind === 'media') return hash.update(await readFile(source.file)).digest('hex');
  for (const { data } of Object.values(await readFeatures(source))) hash.update(data);
  return hash.digest('hex');
}

/**
 * `waveform` [samples] and `frames` bytes [frames, 3, height, width] of media; `audio` [400, 64] and `video` [10, 2048] of features.
 * @throws MediaError for media that do not decode, SetError for features of another shape.
 */
export async function readClip(source: ItemSource, shape: MediaShape): Promise<ClipTensors> {
  if (source.kind === 'features') return readFeatures(source);
  const { sampleRateHz, samples, ...frames } = shape;
  const [waveform, pictures] = await decodeMedia({ path: source.file }, [
    { kind: 'waveform', sampleRateHz, samples },
    { kind: 'frames', ...frames },
  ]);
  if (waveform === undefined || pictures === undefined) throw new SetError(`"${source.file}" gave no tensors`);
  return { waveform, frames: pictures };
}

async function readFeatures(source: ItemSource & { readonly kind: 'features' }) {
  return {
    audio: await readMatrix(source.audio, source.row, FEATURE_DIMS.audio),
    video: await readMatrix(source.video, source.row, FEATURE_DIMS.video),
  };
}

async function readMatrix(
  path: string,
  row: number | undefined,
  wanted: readonly [number, number],
): Promise<NpyArray<Float32Array>> {
  const found = /\.csv$/i.test(path) ? await readCsvMatrix(path, row) : await readNpy(path, row);
  if (found.dims.join() !== wanted.join()) {
    const stacked = found.dims.length === 3 && row === undefined ? '; give the clip’s index in the column row' : '';
    throw new SetError(`"${path}" is [${found.dims.join(', ')}]; expected [${wanted.join(', ')}]${stacked}`);
  }
  const bad = found.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw new SetError(`"${path}": element ${bad} is ${found.data[bad]}; features are finite numbers`);
  return found;
}

async function readCsvMatrix(path: string, row: number | undefined): Promise<NpyArray<Float32Array>> {
  if (row !== undefined) throw new SetError(`"${path}" is a CSV, which holds one clip; leave the column row empty`);
  const rows = parseCsv(await readFile(path, 'utf8'));
  const columns = rows[0]?.length ?? 0;
  const values = rows.flatMap((line, at) => {
    if (line.length !== columns)
      throw new SetError(`"${path}", row ${at + 1} has ${line.length} numbers, the first ${columns}`);
    return line.map((text) => (text.trim() === '' ? Number.NaN : Number(text)));
  });
  return { dims: [rows.length, columns], data: Float32Array.from(values) };
}
