import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeWav } from '@faultline/media';
import sharp from 'sharp';
import type { SourceEntry } from './manifest.ts';
import { syntheticEntries, tone } from './synthetic-sources.ts';

/** Writes the made-up pack of tests into a folder, as small files: picture number `at` of all entries is red `at`. */
export async function writeSyntheticPack(folder: string): Promise<readonly SourceEntry[]> {
  const entries = syntheticEntries();
  for (const [at, entry] of entries.entries()) {
    const path = join(folder, entry.file);
    if (entry.kind === 'audio' || entry.kind === 'noise') {
      const waveform = Float32Array.from(tone(entry), (sample) => sample / 32_768);
      await writeFile(path, encodeWav(waveform, 16_000));
    } else {
      const background = { r: at % 256, g: 100, b: 50, alpha: 1 };
      await sharp({ create: { width: 40, height: 30, channels: 4, background } })
        .webp({ lossless: true })
        .toFile(path);
    }
  }
  await writeFile(join(folder, 'sources.json'), JSON.stringify(entries));
  return entries;
}
