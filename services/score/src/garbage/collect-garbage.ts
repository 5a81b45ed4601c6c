import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtefactStore, ListedArtefact } from '@faultline/artefacts';
import type { score } from '@faultline/contracts';
import { isCampaignId } from '../campaign/campaign-id.ts';
import { summaryOf } from '../campaign-summary.ts';
import type { CampaignStore } from '../store/campaign-store.ts';
import { isIncompleteDatabase } from '../store/embedded-database.ts';
import { runFolder } from '../store/run-folder.ts';
import { folderSize } from './folder-size.ts';
import { artefactHorizon, retentionOf, splitCampaigns } from './retention.ts';

/** Where garbage lies. */
export interface GarbageSurroundings {
  readonly store: CampaignStore;
  readonly artefacts: ArtefactStore;
  readonly runsDir: string;
}

async function unreferenced(artefacts: ArtefactStore, referenced: ReadonlySet<string>, horizon: Date) {
  const found: ListedArtefact[] = [];
  for await (const artefact of artefacts.list()) {
    if (!referenced.has(artefact.sha256) && artefact.lastPutAt < horizon) found.push(artefact);
  }
  return found;
}

/**
 * Removes campaigns that no rule keeps, their files, folders without a campaign, and artefacts that no kept campaign refers to.
 * @throws FaultlineError invalid_argument when the rules cannot be followed.
 */
export async function collectGarbage(
  request: score.CollectGarbageRequest,
  { store, artefacts, runsDir }: GarbageSurroundings,
  now: Date = new Date(),
): Promise<score.CollectGarbageResponse> {
  const { dryRun } = request;
  const retention = retentionOf(request, now);
  // Folders before campaigns: a campaign that starts in between has a record, and is not taken for a left-over.
  const folders = await readdir(runsDir);
  const all = await store.all();
  const { kept, removed } = splitCampaigns(all, retention);
  const known = new Set(all.map(({ id }) => id));
  const leftovers = folders.filter((name) => isIncompleteDatabase(name) || (isCampaignId(name) && !known.has(name)));
  const campaigns = await Promise.all(
    removed.map(async (record) => ({
      summary: summaryOf(record),
      bytes: await folderSize(runFolder(runsDir, record.id)),
    })),
  );
  const leftoverSizes = await Promise.all(leftovers.map((name) => folderSize(join(runsDir, name))));
  const referenced = await store.artefactsOf(kept.map(({ id }) => id));
  const loose = await unreferenced(artefacts, referenced, artefactHorizon(kept, retention, now));
  if (!dryRun) {
    // Records first: a list never shows what has no files, and what an interruption leaves is a left-over of the next time.
    await store.remove(removed.map(({ id }) => id));
    for (const { id } of removed) await rm(runFolder(runsDir, id), { recursive: true, force: true });
    for (const name of leftovers) await rm(join(runsDir, name), { recursive: true, force: true });
    for (const { sha256 } of loose) await artefacts.remove(sha256);
  }
  const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);
  const artefactBytes = sum(loose.map(({ sizeBytes }) => sizeBytes));
  const leftoverBytes = sum(leftoverSizes);
  return {
    campaigns,
    artefacts: loose.length,
    artefactBytes,
    leftovers,
    leftoverBytes,
    bytes: sum(campaigns.map(({ bytes }) => bytes)) + artefactBytes + leftoverBytes,
    keptCampaigns: kept.length,
    dryRun,
  };
}
