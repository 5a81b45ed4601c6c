import type { Perturbations } from '@faultline/attack-algorithms';
import type { UniversalResult } from '@faultline/report';
import { withSpan } from '../spans.ts';
import type { PlannedUniversal } from '../universal/planned-universal.ts';
import { universalPhase } from '../universal/universal-phase.ts';
import { universalWeight } from '../work-plan.ts';
import { storeAll } from './best-tensors.ts';
import type { CleanPhase } from './clean-phase.ts';
import type { RunningCampaign } from './running-campaign.ts';

/** What one perturbation for all clips does to one victim of a campaign. */
export async function universalVictim(
  { plan, services, signal, meter, artefacts }: RunningCampaign,
  { victim, clips }: CleanPhase,
  planned: PlannedUniversal,
): Promise<UniversalResult> {
  const { name } = planned.model;
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': name };
  return withSpan('score.attack', attributes, async () => {
    const work = meter.begin(universalWeight(victim, planned), `${victim.name}: ${name}`);
    const keep = (perturbations: Perturbations) =>
      storeAll(artefacts, victim, new Map(Array.from(perturbations, ([variable, { data }]) => [variable, data])));
    const grouped = clips.map((clip) => ({ ...clip, groups: plan.clips[clip.index]?.groups ?? [] }));
    const setting = { services, signal, onProgress: work.advance, keep: plan.keepAdversarial ? keep : undefined };
    const result = await universalPhase(setting, victim, planned, grouped);
    work.done();
    return result;
  });
}
