import { type Assessment, assess, REMEDIES } from '@faultline/attack-algorithms/sanity';
import { attack } from '@faultline/contracts';
import type { AssessmentReport, CostReport } from '@faultline/report';
import type { AttackRecord } from '../judge/attack-result.ts';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { verifyBatch } from '../peers/verify-batch.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { PlannedAttack, PlannedThreatModel } from '../planning/planned-attacks.ts';
import { withSpan } from '../spans.ts';
import { assessedClips, crossesAll, reachOf } from './assessed-batch.ts';
import { type AttackEvidence, clipEvidence, followsGradients, smallestScales } from './clip-evidence.ts';
import { countedVictim } from './counted-victim.ts';
import { ownAttack } from './own-attack.ts';
import type { TransferPoints } from './transfer-points.ts';

/** What an assessment works with. */
export interface AssessmentSetting {
  readonly services: Services;
  readonly victim: VictimUnderTest;
  readonly threatModel: PlannedThreatModel;
  /** Clips that have not the goal when clean. */
  readonly clips: readonly AttackedClip[];
  /** Points made against other victims; undefined: there are none. */
  readonly transfer: TransferPoints | undefined;
  /** Sees every verified point that score brought itself. */
  readonly onVerified: (candidate: Candidate, verified: Verified, attack: string) => void;
  readonly signal: AbortSignal;
}

/** What the attacks on one victim under one threat model are worth. */
export interface AttackAssessment {
  readonly report: AssessmentReport;
  /** Points that score brought itself: those of other victims, and those of a remedy. */
  readonly records: readonly AttackRecord[];
  readonly verificationCost: CostReport;
}

/** Points verified at once. */
const VERIFIED_AT_ONCE = 8;

const unassessed = (reason: string): AttackAssessment => ({
  report: { verdict: 'not assessed', reason, remedy: null, findings: [], cost: NO_COST },
  records: [],
  verificationCost: NO_COST,
});

/**
 * Looks for signs that the attacks on a victim failed for reasons of their own: in what they told, in points made against other victims, and in what a few gradients
 * claim; and for a way around. Candidates of a remedy are verified like all others.
 */
export async function assessAttacks(
  setting: AssessmentSetting,
  attacks: readonly AttackRecord[],
  noises: readonly AttackRecord[],
): Promise<AttackAssessment> {
  const { victim, threatModel, clips } = setting;
  if (!attacks.some(followsGradients))
    return unassessed('no attack follows gradients, so that none can be misled by them');
  if (clips.length === 0) return unassessed('every clip has the goal when clean');
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': threatModel.model.name };
  return withSpan('score.assess', attributes, (span) => {
    const outcome = new AssessmentRun(setting, attacks, noises).run();
    return outcome.then((one) => {
      span.setAttribute('faultline.verdict', one.report.verdict);
      return one;
    });
  });
}

class AssessmentRun {
  readonly #setting: AssessmentSetting;
  readonly #attacks: readonly AttackRecord[];
  readonly #noises: readonly AttackRecord[];
  readonly #records: AttackRecord[] = [];
  #verificationCost: CostReport = NO_COST;

  constructor(setting: AssessmentSetting, attacks: readonly AttackRecord[], noises: readonly AttackRecord[]) {
    this.#setting = setting;
    this.#attacks = attacks;
    this.#noises = noises;
  }

  async run(): Promise<AttackAssessment> {
    const { services, victim, threatModel, clips, signal } = this.#setting;
    const { model, limit } = threatModel;
    const evidence: AttackEvidence = {
      attacks: this.#attacks,
      noises: this.#noises,
      scales: model.rungs.map(({ scale }) => scale),
      transferred: await this.#transferred(),
      isUnbounded: crossesAll(victim, model, limit),
    };
    const { canProbe, canWalk } = reachOf(victim, model);
    const counted = countedVictim(services.victim(victim));
    const assessment = await assess(counted.victim, assessedClips(victim, model, clips), {
      evidence: clips.map(({ index }) => clipEvidence(evidence, index)),
      probed: canProbe ? undefined : 0,
      remedies: canWalk ? REMEDIES : [],
      signal,
    });
    if (assessment.verdict === 'remedied') await this.#verifyRemedy(assessment, counted.cost());
    return {
      report: {
        verdict: assessment.verdict,
        reason: assessment.verdict === 'sound' ? '' : assessment.reason,
        remedy: assessment.verdict === 'remedied' ? assessment.remedy : null,
        findings: assessment.findings,
        cost: counted.cost(),
      },
      records: this.#records,
      verificationCost: this.#verificationCost,
    };
  }

  /** By clip: the smallest scale at which points made against other victims reach the goal on this one. */
  async #transferred(): Promise<ReadonlyMap<number, number>> {
    const { victim, threatModel, clips, transfer } = this.#setting;
    const smallest = smallestScales(this.#attacks.filter(followsGradients));
    const found = new Map(clips.map(({ index }) => [index, smallest.get(index) ?? Number.POSITIVE_INFINITY]));
    const points = transfer?.pointsFor(victim, threatModel.model, found) ?? [];
    const planned = ownAttack(threatModel, 'other-victims', attack.AttackKnowledge.ATTACK_KNOWLEDGE_NOTHING);
    const verified = await this.#verify(planned, points);
    const record = { attack: planned, verified, failedScales: new Map(), evidence: [], cost: NO_COST };
    if (verified.some(({ verdict }) => verdict === 'reached')) this.#records.push(record);
    return smallestScales([record]);
  }

  async #verifyRemedy(
    { remedy, found }: Extract<Assessment, { verdict: 'remedied' }>,
    cost: CostReport,
  ): Promise<void> {
    const { victim, threatModel, clips } = this.#setting;
    const points = found.flatMap(({ clip, scale, point }): Candidate[] => {
      const index = clips[clip]?.index;
      if (index === undefined || scale === undefined || scale > threatModel.limit) return [];
      return [{ rung: undefined, clip: index, adversarial: point, believedMargin: -victim.tau }];
    });
    const planned = ownAttack(threatModel, remedy, attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS);
    const verified = await this.#verify(planned, points);
    this.#records.push({ attack: planned, verified, failedScales: new Map(), evidence: [], cost });
  }

  async #verify(planned: PlannedAttack, points: readonly Candidate[]): Promise<Verified[]> {
    const { services, victim, clips, onVerified, signal } = this.#setting;
    const verified: Verified[] = [];
    for (let at = 0; at < points.length; at += VERIFIED_AT_ONCE) {
      const some = points.slice(at, at + VERIFIED_AT_ONCE);
      const verification = await verifyBatch(services, victim, planned.model, clips, some, signal);
      for (const [index, one] of verification.verified.entries()) {
        const candidate = some[index];
        if (candidate !== undefined) onVerified(candidate, one, planned.name);
      }
      verified.push(...verification.verified);
      this.#verificationCost = addCosts(this.#verificationCost, verification.cost);
    }
    return verified;
  }
}
