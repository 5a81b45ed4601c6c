import { score } from '@faultline/contracts';
import type { InputLookup } from '../inputs/input-cache.ts';
import { requestedInputs } from '../inputs/requested-inputs.ts';
import { predictClips } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import { activeLabels, type VictimUnderTest } from '../peers/victim-under-test.ts';
import type { RequestedClip } from '../planning/requested-clips.ts';
import type { CleanClip } from './clip-score.ts';

const { LABEL_SOURCE_PREDICTION } = score.LabelSource;

/** A clip with its place in the request. */
export interface IndexedClip {
  readonly index: number;
  readonly clip: RequestedClip;
}

/** Extracts clips for a victim and predicts them as they are; where labels are not known, the prediction gives them. */
export async function cleanClips(
  services: Services,
  lookup: InputLookup,
  victim: VictimUnderTest,
  clips: readonly IndexedClip[],
  signal: AbortSignal,
) {
  const points: ClipInputs[] = [];
  for (const { clip } of clips) points.push(await requestedInputs(services, lookup, clip, victim, signal));
  const { logits, cost } = await predictClips(services, victim, points, signal);
  const clean = clips.map(({ index, clip }, position): CleanClip => {
    const row = logits[position] ?? new Float32Array(0);
    const labels = clip.labelSource === LABEL_SOURCE_PREDICTION ? activeLabels(victim, row) : clip.labels;
    const inputs = points[position] ?? new Map();
    // A copy: the row is a view of a whole batch, which would stay in memory with it.
    return { index, clip, sha256: clip.media.sha256, labels, inputs, logits: row.slice() };
  });
  return { clean, cost };
}
