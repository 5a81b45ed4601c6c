import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Split } from '../splits.ts';
import { ImportError } from './import-item.ts';
import type { ImportedClip, ImportedManifest } from './import-set.ts';
import { type NpyArray, readNpy, readNpyBytes } from './npy.ts';
import { shardFile } from './shards.ts';

/** Clips of one shard with their tensors, `[clips, ...]` each. */
export interface ImportedBatch {
  readonly clips: readonly ImportedClip[];
  readonly tensors: Readonly<Record<string, NpyArray>>;
  /** `[clips, labels]`, 0/1 in the order of the manifest's labels. */
  readonly targets: Float32Array;
}

/** @throws ImportError when the folder holds no imported set, or an unfinished one. */
export async function readImportedManifest(folder: string): Promise<ImportedManifest> {
  const path = join(folder, 'manifest.json');
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new ImportError(`${path} cannot be read; finish the import into this folder first`, { cause });
  });
  return JSON.parse(text);
}

/** The clips of a split, shard by shard. */
export async function* importedBatches(folder: string, split: Split): AsyncGenerator<ImportedBatch, void, void> {
  const manifest = await readImportedManifest(folder);
  const own = manifest.clips.filter((clip) => clip.split === split);
  for (const [shard, clips] of Map.groupBy(own, (clip) => clip.shard)) {
    const tensors: Record<string, NpyArray> = {};
    for (const name of Object.keys(manifest.tensors)) {
      const path = shardFile(folder, shard, name);
      tensors[name] = await (name === 'frames' ? readNpyBytes(path) : readNpy(path));
    }
    const targets = clips.flatMap(({ labels }) => manifest.labels.map((label) => Number(labels.includes(label))));
    yield { clips, tensors, targets: Float32Array.from(targets) };
  }
}
