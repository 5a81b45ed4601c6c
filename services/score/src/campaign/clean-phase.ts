import { rankingFigures } from '@faultline/metrics';
import type { CleanFigures, FusionCheck } from '@faultline/report';
import type { CleanRun } from '../judge/clean-run.ts';
import { type Goal, goalMargin } from '../judge/goal.ts';
import { predictClips } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import { isReached, marginOf, targetsOf, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { checkFusion } from './fusion-check.ts';

/** A selected clip with its extracted inputs. */
export interface PreparedClip {
  readonly index: number;
  readonly id: string;
  readonly sha256: string;
  readonly labels: readonly string[];
  readonly stratum: string;
  readonly agree: boolean;
  readonly inputs: ClipInputs;
}

/** A victim before any attack. */
export interface CleanPhase {
  readonly victim: VictimUnderTest;
  readonly clips: readonly PreparedClip[];
  readonly run: CleanRun;
  readonly figures: CleanFigures;
  readonly byStratum: Readonly<Record<string, CleanFigures>>;
  readonly fusionCheck: FusionCheck | null;
}

/** Clean figures of the clips with these indices. */
function figuresOf(run: CleanRun, indices: readonly number[]): CleanFigures {
  const rows = (values: Float32Array) =>
    indices.flatMap((index) => Array.from(values.subarray(index * run.labels, (index + 1) * run.labels)));
  const on = indices.filter((index) => run.off[index] === false).length;
  return {
    ...rankingFigures({ labels: run.labels, scores: rows(run.logits), targets: rows(run.targets) }),
    accuracy: on / indices.length,
  };
}

/** What a goal makes of clean predictions: its margins, and which clips have it already. */
export function cleanUnder({ victim, clips, run }: CleanPhase, goal: Goal): CleanRun {
  const margins = clips.map(({ index, labels }) =>
    goalMargin(victim, goal, run.logits.subarray(index * run.labels, (index + 1) * run.labels), labels),
  );
  return { ...run, margins, off: margins.map((margin) => isReached(victim, margin)) };
}

/** Predicts all clips as they are, and with one modality swapped. */
export async function cleanPhase(
  services: Services,
  victim: VictimUnderTest,
  clips: readonly PreparedClip[],
  signal: AbortSignal,
): Promise<CleanPhase> {
  const predict = async (points: readonly ClipInputs[]) =>
    (await predictClips(services, victim, points, signal)).logits;
  const rows = await predict(clips.map((clip) => clip.inputs));
  const labels = victim.card.labels.length;
  const logits = new Float32Array(clips.length * labels);
  for (const [index, row] of rows.entries()) logits.set(row, index * labels);
  const margins = clips.map((clip) => {
    const row = logits.subarray(clip.index * labels, (clip.index + 1) * labels);
    return marginOf(victim, row, clip.labels);
  });
  const run: CleanRun = {
    clips: clips.length,
    labels,
    logits,
    targets: targetsOf(
      victim,
      clips.map((clip) => clip.labels),
    ),
    margins,
    off: margins.map((margin) => isReached(victim, margin)),
  };
  const strata = [...new Set(clips.map((clip) => clip.stratum))].sort();
  const inStratum = (stratum: string) => clips.filter((clip) => clip.stratum === stratum).map((clip) => clip.index);
  return {
    victim,
    clips,
    run,
    figures: figuresOf(
      run,
      clips.map((clip) => clip.index),
    ),
    byStratum: Object.fromEntries(strata.map((stratum) => [stratum, figuresOf(run, inStratum(stratum))])),
    fusionCheck: await checkFusion(victim, clips, predict),
  };
}
