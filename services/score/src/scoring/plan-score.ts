import type { score } from '@faultline/contracts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { type PlannedThreatModel, plannedThreatModel } from '../planning/planned-attacks.ts';
import { checkClipLabels, type RequestedClip, resolveClips } from '../planning/requested-clips.ts';
import { checkSurrogates } from '../planning/surrogate-rules.ts';
import { checkThreatModels, seeded } from '../planning/threat-model-rules.ts';
import { chooseVictims } from '../planning/victim-choice.ts';
import { isWholeBetween, Violations } from '../planning/violations.ts';
import { isUniversal, type PlannedUniversal, plannedUniversal } from '../universal/planned-universal.ts';
import type { WriteBack } from '../write-back/write-back.ts';
import { checkWriteForms } from '../write-back/write-forms.ts';

const MAX_CLIPS = 64;
const MAX_THREAT_MODELS = 16;

/** A Score request with every name resolved. */
export interface ScorePlan {
  readonly victims: readonly VictimUnderTest[];
  readonly threatModels: readonly PlannedThreatModel[];
  /** Those of one perturbation for all clips. */
  readonly universals: readonly PlannedUniversal[];
  readonly clips: readonly RequestedClip[];
  readonly adversarial: score.AdversarialReturn;
  readonly writeBack: WriteBack;
}

/**
 * Turns a request into what can be worked on.
 * @throws FaultlineError invalid_argument with everything that is wrong with it.
 */
export async function planScore(
  request: score.ScoreRequest,
  services: Services,
  clipsDir: string,
  signal: AbortSignal,
): Promise<ScorePlan> {
  const violations = new Violations();
  const { report } = violations;
  const { threatModels, seed, adversarial } = request;
  if (!isWholeBetween(seed, 0, Number.MAX_SAFE_INTEGER)) {
    report('seed', `is ${seed}; give a whole number from 0 to below 2^53`);
  }
  const [victims, attacks, clips] = await Promise.all([
    chooseVictims(services, request.victims, 'victims', report, signal),
    services.attacks(signal),
    resolveClips(request, MAX_CLIPS, clipsDir, report),
  ]);
  checkThreatModels(threatModels, 'threatModels', MAX_THREAT_MODELS, attacks, victims, report);
  await checkSurrogates(threatModels, 'threatModels', services, victims, report, signal);
  checkClipLabels(clips, victims, report);
  const forms = checkWriteForms(request.writeBack, 'writeBack', victims, threatModels, report);
  const models = seeded(threatModels, seed);
  const split = clips.map(({ stratum, groups, media: { sha256 } }) => ({ stratum, groups, sha256 }));
  const universals = models.flatMap((model, index) => {
    if (!isUniversal(model, attacks)) return [];
    const remedy = 'one perturbation for all clips is no file; ask for files in a call of their own';
    if (forms.length > 0) report('writeBack', `is given beside attack '${model.attack}'; ${remedy}`);
    return plannedUniversal(model, `threatModels[${index}]`, attacks, split, report);
  });
  violations.refuse();
  const planned = models
    .filter((model) => !isUniversal(model, attacks))
    .map((model) => plannedThreatModel(model, attacks));
  const writeBack = { forms, keepMedia: request.writtenMedia };
  return { victims, threatModels: planned, universals, clips, adversarial, writeBack };
}
