import type { attack } from '@faultline/contracts';
import type { VictimUnderTest } from './peers/victim-under-test.ts';
import type { PlannedCampaign } from './planning/specification.ts';

// Weights of work, in multiply-accumulate operations: what lets one estimate span victims of different size.

/** A gradient step costs about this many forward passes (measured: 2.2 to 2.5 for the gradient graph, and the step program). */
const FORWARDS_PER_STEP = 3;
/** Decoding and extracting a clip takes about as long as this many multiply-accumulates of a victim. */
const EXTRACTION_MACS = 5e8;
/** Clean predictions: as it is, and three more for the fusion check. */
const CLEAN_PASSES = 4;

/** The attack that equal-norm noise is asked for by. */
export const NOISE_ATTACK = 'noise';

function macsOf(victim: VictimUnderTest): number {
  return Math.max(1, victim.card.macs);
}

export function attackWeight(victim: VictimUnderTest, model: attack.ThreatModel, clips: number): number {
  const passes = model.attack === NOISE_ATTACK ? 1 : model.steps * model.restarts * FORWARDS_PER_STEP;
  return macsOf(victim) * clips * model.rungs.length * passes;
}

export function verifyWeight(victim: VictimUnderTest, model: attack.ThreatModel, clips: number): number {
  return macsOf(victim) * clips * model.rungs.length;
}

export function cleanWeight(victim: VictimUnderTest, clips: number): number {
  return macsOf(victim) * clips * CLEAN_PASSES;
}

export function prepareWeight(clips: number): number {
  return EXTRACTION_MACS * clips;
}

/** The equal-norm noise that is reported beside a threat model: one draw on the same ladder. */
export function noiseModel(model: attack.ThreatModel): attack.ThreatModel {
  return { ...model, attack: NOISE_ATTACK, steps: 1, restarts: 1, parameters: [] };
}

/** Weight of a whole campaign. */
export function campaignWeight(plan: PlannedCampaign): number {
  const clips = plan.clips.length;
  const perVictim = plan.victims.map((victim) =>
    plan.threatModels
      .flatMap((model) => [model, noiseModel(model)])
      .reduce(
        (sum, model) => sum + attackWeight(victim, model, clips) + verifyWeight(victim, model, clips),
        cleanWeight(victim, clips),
      ),
  );
  return perVictim.reduce((sum, weight) => sum + weight, prepareWeight(clips));
}
