import { attack, type score } from '@faultline/contracts';
import type { WriteForm } from '@faultline/media/write-back';
import { normOf } from '@faultline/victim';
import type { Clip, ClipSet } from '../clips/manifest.ts';
import { isKnownNorm } from '../judge/names.ts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { isUniversal, type PlannedUniversal, plannedUniversal } from '../universal/planned-universal.ts';
import { checkWriteForms } from '../write-back/write-forms.ts';
import { findClipSet } from './clip-set-choice.ts';
import { NOISE_ATTACK, type PlannedThreatModel, plannedThreatModel } from './planned-attacks.ts';
import { checkSurrogates } from './surrogate-rules.ts';
import { checkDistinct, checkThreatModels, seeded } from './threat-model-rules.ts';
import { chooseVictims } from './victim-choice.ts';
import { isWholeBetween, type Report, Violations } from './violations.ts';

/** A campaign that can run: every name is resolved, every seed is set. */
export interface PlannedCampaign {
  readonly name: string;
  readonly seed: number;
  /** Whether adversarial tensors are kept as artefacts. */
  readonly keepAdversarial: boolean;
  /** Forms in which best examples are written as media files and scored again. */
  readonly writeForms: readonly WriteForm[];
  readonly victims: readonly VictimUnderTest[];
  readonly threatModels: readonly PlannedThreatModel[];
  /** Those of one perturbation for all clips. */
  readonly universals: readonly PlannedUniversal[];
  readonly clipSet: ClipSet;
  /** The selected clips, in the set's order. */
  readonly clips: readonly Clip[];
}

const MAX_NAME_LENGTH = 128;
const MAX_THREAT_MODELS = 64;

/** Labels that an error names before it breaks off. */
const MOST_SHOWN = 8;

function shownLabels({ card }: VictimUnderTest): string {
  const names = card.labels.slice(0, MOST_SHOWN).map(({ label }) => label);
  return names.join(', ') + (card.labels.length > MOST_SHOWN ? ` and ${card.labels.length - MOST_SHOWN} more` : '');
}

function checkLabels(clips: readonly Clip[], victims: readonly VictimUnderTest[], report: Report): void {
  for (const victim of victims) {
    for (const clip of clips) {
      const unknown = clip.labels.find((label) => !victim.labelIndex.has(label));
      if (unknown === undefined) continue;
      report(
        'specification.clips.set',
        `clip '${clip.id}' has label '${unknown}', which victim '${victim.name}' lacks (it has ${shownLabels(victim)}); ` +
          'labels are matched by name: name those of its card as the clips do, or choose a clip set of its labels',
      );
      break;
    }
  }
}

/** Campaigns measure random noise of the same norm beside each attack. */
function checkNoise(
  models: readonly attack.ThreatModel[],
  attacks: readonly attack.AttackDescription[],
  report: Report,
): void {
  const norms = attacks.find(({ name }) => name === NOISE_ATTACK)?.norms ?? [];
  for (const [index, model] of models.entries()) {
    const used = [model.norm, ...model.variables.map((budget) => normOf(model, budget))];
    const norm = used.find((one) => isKnownNorm(one) && !norms.includes(one));
    if (norm === undefined) continue;
    const field = `specification.threatModels[${index}].norm`;
    report(field, `noise of ${attack.normToJSON(norm)}, to compare with, is not on offer; take another norm, or Score`);
  }
}

/** E, the end of the robustness score, is fixed for each threat model. */
function checkLimits(models: readonly attack.ThreatModel[], report: Report): void {
  for (const [index, { rungs, maxScale }] of models.entries()) {
    if (rungs.length > 0 || maxScale !== undefined) continue;
    const field = `specification.threatModels[${index}].rungs`;
    report(field, 'has 0 rungs; give 1 to 16 budgets, or maxScale, up to which attacks search for the smallest');
  }
}

/**
 * Turns a specification into a campaign that can run.
 * @throws FaultlineError invalid_argument with everything that is wrong with it; other codes when a service that has to be asked
 * does not answer, or a clip set cannot be used.
 */
export async function planCampaign(
  specification: score.CampaignSpecification,
  services: Services,
  clipsDir: string,
  signal: AbortSignal,
): Promise<PlannedCampaign> {
  const violations = new Violations();
  const { report } = violations;
  const { name, seed, threatModels, keepAdversarial, writeBack } = specification;
  if (name.length === 0 || name.length > MAX_NAME_LENGTH) {
    report('specification.name', `has ${name.length} characters; give 1 to ${MAX_NAME_LENGTH}`);
  }
  if (!isWholeBetween(seed, 0, Number.MAX_SAFE_INTEGER)) {
    report('specification.seed', `is ${seed}; give a whole number from 0 to below 2^53`);
  }
  const [victims, attacks, clipSet] = await Promise.all([
    chooseVictims(services, specification.victims, 'specification.victims', report, signal),
    services.attacks(signal),
    findClipSet(clipsDir, specification.clips?.set ?? '', 'specification.clips.set', report),
  ]);
  checkThreatModels(threatModels, 'specification.threatModels', MAX_THREAT_MODELS, attacks, victims, report);
  await checkSurrogates(threatModels, 'specification.threatModels', services, victims, report, signal);
  checkNoise(threatModels, attacks, report);
  checkLimits(threatModels, report);
  // Those of one perturbation for all clips share no ledger: two of them may differ in form alone.
  const apart = threatModels.filter((model) => !isUniversal(model, attacks));
  checkDistinct(apart, 'specification.threatModels', report);
  // A set lists its clips so that the first n are a stratified choice for any n.
  const clips = clipSet?.clips.slice(0, specification.clips?.limit || undefined) ?? [];
  checkLabels(clips, victims, report);
  const writeForms = checkWriteForms(writeBack, 'specification.writeBack', victims, threatModels, report);
  const models = seeded(threatModels, seed);
  const universals = models.flatMap((model, index) =>
    isUniversal(model, attacks)
      ? plannedUniversal(model, `specification.threatModels[${index}]`, attacks, clips, report)
      : [],
  );
  violations.refuse();
  const planned = models
    .filter((model) => !isUniversal(model, attacks))
    .map((model) => plannedThreatModel(model, attacks));
  // Without a violation there is a clip set.
  if (clipSet === undefined) throw new TypeError('an unknown clip set went unreported');
  return { name, seed, keepAdversarial, writeForms, victims, threatModels: planned, universals, clipSet, clips };
}
