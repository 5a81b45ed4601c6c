import { attack } from '@faultline/contracts';
import type { VictimUnderTest } from './peers/victim-under-test.ts';
import { type PlannedAttack, queriesOf, searches } from './planning/planned-attacks.ts';
import type { PlannedCampaign } from './planning/specification.ts';
import type { PlannedUniversal } from './universal/planned-universal.ts';

// Weights of work, in multiply-accumulate operations: what lets one estimate span victims of different size.

/** A gradient step costs about this many forward passes (measured: 2.2 to 2.5 for the gradient graph, and the step program). */
const FORWARDS_PER_STEP = 3;
/** Decoding and extracting a clip takes about as long as this many multiply-accumulates of a victim. */
const EXTRACTION_MACS = 5e8;
/** Clean predictions: as it is, and three more for the fusion check. */
const CLEAN_PASSES = 4;

/** Runs of a fixed-budget attack in a search that closes in on a clip's critical scale, about: five scales a round, five rounds, less what successes spare. */
const PROBES_PER_SEARCH = 12;

function macsOf(victim: VictimUnderTest): number {
  return Math.max(1, victim.card.macs);
}

/** Runs of a planned attack on one clip. */
function runsPerClip(planned: PlannedAttack): number {
  if (!searches(planned)) return planned.model.rungs.length;
  return planned.description.kind === attack.AttackKind.ATTACK_KIND_MINIMUM_NORM ? 1 : PROBES_PER_SEARCH;
}

/** Forward passes that one run of it takes, about. */
function passesPerRun(planned: PlannedAttack): number {
  const { steps, restarts } = planned.model;
  const { knowledge, needsSurrogate } = planned.description;
  const { ATTACK_KNOWLEDGE_NOTHING, ATTACK_KNOWLEDGE_SCORES, ATTACK_KNOWLEDGE_LABELS } = attack.AttackKnowledge;
  if (knowledge === ATTACK_KNOWLEDGE_NOTHING) return restarts;
  const isBlackBox = knowledge === ATTACK_KNOWLEDGE_SCORES || knowledge === ATTACK_KNOWLEDGE_LABELS;
  return restarts * (isBlackBox && !needsSurrogate ? (queriesOf(planned) ?? steps) : steps * FORWARDS_PER_STEP);
}

export function attackWeight(victim: VictimUnderTest, planned: PlannedAttack, clips: number): number {
  return macsOf(victim) * clips * runsPerClip(planned) * passesPerRun(planned);
}

export function verifyWeight(victim: VictimUnderTest, { model }: PlannedAttack, clips: number): number {
  return macsOf(victim) * clips * Math.max(1, model.rungs.length);
}

export function cleanWeight(victim: VictimUnderTest, clips: number): number {
  return macsOf(victim) * clips * CLEAN_PASSES;
}

export function prepareWeight(clips: number): number {
  return EXTRACTION_MACS * clips;
}

/** Weight of crafting: most of the work of a universal perturbation. */
export function universalWeight(victim: VictimUnderTest, { planned, split }: PlannedUniversal): number {
  return attackWeight(victim, planned, split.craft.length);
}

/** Weight of a whole campaign. */
export function campaignWeight({ clips, victims, threatModels, universals }: PlannedCampaign): number {
  const attacks = threatModels.flatMap((one) => [...one.attacks, ...one.noises]);
  const perVictim = victims.map((victim) =>
    attacks.reduce(
      (sum, one) => sum + attackWeight(victim, one, clips.length) + verifyWeight(victim, one, clips.length),
      universals.reduce((sum, one) => sum + universalWeight(victim, one), cleanWeight(victim, clips.length)),
    ),
  );
  return perVictim.reduce((sum, weight) => sum + weight, prepareWeight(clips.length));
}
