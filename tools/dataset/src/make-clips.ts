import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { attributionPage } from './attribution-page.ts';
import { CLIP_GEOMETRY, type ClipRecord, type ClipSet, type Edition, makeClips } from './clip-set.ts';
import { SAMPLE_RATE_HZ } from './decode.ts';
import { userPath } from './set/option-value.ts';
import { runCommand } from './set/run-command.ts';
import { openSources, type Sources } from './sources.ts';
import { SPLITS, type Split, STRATA } from './splits.ts';

const USAGE = `Composes the labelled test clips from a source pack.

  npm run make-clips -w @faultline/dataset -- --pack DIR --out zoo/clips

  --pack DIR  source pack: sources.json with its sounds and pictures
  --out DIR   where the clips, manifest.json, splits.json and ATTRIBUTION.md go; its .mp4 and .webm files are replaced`;

const NAME = 'faultline-clips';
const VERSION = '1.1.0';
const CLIP_FILE = /\.(mp4|webm)$/;

const OPTIONS = { pack: { type: 'string' }, out: { type: 'string' } } as const;

await runCommand(USAGE, OPTIONS, ['pack', 'out'], (values) =>
  writeClipSet(userPath(values.pack), userPath(values.out)),
);

async function writeClipSet(packDir: string, outDir: string): Promise<string> {
  const sources = await openSources(packDir);
  await mkdir(outDir, { recursive: true });
  for (const name of await readdir(outDir)) if (CLIP_FILE.test(name)) await rm(join(outDir, name));
  const editions: Readonly<Record<Edition, ClipRecord[]>> = { 1: [], 2: [] };
  let totalBytes = 0;
  for (const stratum of STRATA) {
    for await (const { record, bytes, edition } of makeClips(sources, stratum)) {
      await writeFile(join(outDir, record.file), bytes);
      editions[edition].push(record);
      totalBytes += bytes.length;
    }
  }
  const { frameRateHz } = CLIP_GEOMETRY;
  const clips = [...editions[1], ...editions[2]];
  const set: ClipSet = { name: NAME, version: VERSION, sampleRateHz: SAMPLE_RATE_HZ, frameRateHz, clips };
  await writeFile(join(outDir, 'manifest.json'), `${JSON.stringify(set, null, 1)}\n`);
  await writeFile(join(outDir, 'splits.json'), `${JSON.stringify(groupsBySplit(sources), null, 1)}\n`);
  await writeFile(join(outDir, 'ATTRIBUTION.md'), attributionPage(set));
  return `${clips.length} clips, ${(totalBytes / 1e6).toFixed(2)} MB, in ${outDir}`;
}

/** The independence groups of every split, so that a clip set can be checked without the pack. */
function groupsBySplit(sources: Sources): Record<Split, string[]> {
  const groups = (split: Split): string[] => {
    const own = sources.entries.filter((entry) => sources.splits.get(entry.id) === split);
    return [...new Set(own.map(({ group }) => group))].sort();
  };
  const [train, validation, test] = SPLITS.map(groups);
  return { train: train ?? [], validation: validation ?? [], test: test ?? [] };
}
