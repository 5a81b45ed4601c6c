import type { score } from '@faultline/contracts';
import { inFlight } from '../in-flight.ts';
import { EXTRACTIONS_IN_FLIGHT } from '../inputs/clip-inputs.ts';
import type { InputCache, InputLookup } from '../inputs/input-cache.ts';
import { requestedInputs } from '../inputs/requested-inputs.ts';
import { cut, predictRows } from '../peers/batches.ts';
import { predictClips } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { activeLabels, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { checkClipLabels, type RequestedClip, resolveClips, resolvedClip } from '../planning/requested-clips.ts';
import { chooseVictims } from '../planning/victim-choice.ts';
import { Violations } from '../planning/violations.ts';
import { withLookupSpan } from '../spans.ts';

const MAX_CLIPS = 256;

/** What predictions are made with. */
export interface PredictionSurroundings {
  readonly services: Services;
  readonly cache: InputCache;
  readonly clipsDir: string;
}

/** Predicts in groups, so that the inputs of a few clips are in memory at once. */
async function predictVictim(
  services: Services,
  lookup: InputLookup,
  victim: VictimUnderTest,
  clips: readonly RequestedClip[],
  signal: AbortSignal,
): Promise<score.VictimPredictions> {
  const predictions: score.ClipPrediction[] = [];
  for (const group of cut(clips, predictRows(victim))) {
    const points = await inFlight(group, EXTRACTIONS_IN_FLIGHT, signal, (clip, _index, stop) =>
      requestedInputs(services, lookup, clip, victim, stop),
    );
    const { logits } = await predictClips(services, victim, points, signal);
    for (const [index, { name }] of group.entries()) {
      const row = logits[index] ?? new Float32Array(0);
      predictions.push({ clip: name, logits: Array.from(row), activeLabels: activeLabels(victim, row) });
    }
  }
  const { sha256, labels } = victim.card;
  return { victim: victim.name, modelSha256: sha256, labels, predictions };
}

/**
 * What victims make of a few clips.
 * @throws FaultlineError invalid_argument for what is wrong with the request, with all violations that are known before any work.
 */
export async function predict(
  request: score.PredictRequest,
  { services, cache, clipsDir }: PredictionSurroundings,
  signal: AbortSignal,
): Promise<score.PredictResponse> {
  const violations = new Violations();
  const { report } = violations;
  const [victims, clips] = await Promise.all([
    chooseVictims(services, request.victims, 'victims', report, signal),
    resolveClips(request, MAX_CLIPS, clipsDir, report),
  ]);
  checkClipLabels(clips, victims, report);
  violations.refuse();
  const attributes = { 'faultline.victims': victims.length, 'faultline.clips': clips.length };
  return withLookupSpan('score.predict', attributes, cache, async (lookup) => {
    const predicted: score.VictimPredictions[] = [];
    for (const victim of victims) predicted.push(await predictVictim(services, lookup, victim, clips, signal));
    return { clips: clips.map(resolvedClip), victims: predicted };
  });
}
