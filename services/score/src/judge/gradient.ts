import { type attack, inference } from '@faultline/contracts';
import type { CostReport, Flag, GradientName, GradientReport } from '@faultline/report';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

const { GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_ESTIMATION, GRADIENT_VERDICT_BLACK_BOX } =
  inference.GradientVerdict;

const NAMES: Readonly<Record<number, GradientName>> = {
  [GRADIENT_VERDICT_WHITE_BOX]: 'white-box',
  [GRADIENT_VERDICT_ESTIMATION]: 'white-box with estimation',
  [GRADIENT_VERDICT_BLACK_BOX]: 'black-box',
};

/** From the best to the worst; what is not known is said only where nothing worse is. */
const ORDER: readonly GradientName[] = ['white-box', 'unknown', 'white-box with estimation', 'black-box'];

const nameOf = (verdict: inference.GradientVerdict | undefined): GradientName =>
  NAMES[verdict ?? inference.GradientVerdict.GRADIENT_VERDICT_UNSPECIFIED] ?? 'unknown';

/** What attacks may use of a victim, as its inference service found when it loaded the model. */
export function gradientReport({ gradient }: VictimUnderTest): GradientReport {
  return {
    verdict: nameOf(gradient?.verdict),
    variables: (gradient?.variables ?? []).map(({ variable, verdict, reason }) => ({
      variable,
      verdict: nameOf(verdict),
      reason,
    })),
    estimatedOperators: gradient?.estimatedOperators ?? [],
  };
}

/** The worst verdict on the variables of a threat model. */
export function gradientOf(victim: VictimUnderTest, threatModel: attack.ThreatModel): GradientName {
  const verdicts = threatModel.variables.map(({ variable }) =>
    nameOf(victim.gradient?.variables.find((one) => one.variable === variable)?.verdict),
  );
  return ORDER.findLast((name) => verdicts.includes(name)) ?? 'unknown';
}

/** A result that rests on estimated gradients says so. */
export function gradientFlags(verdict: GradientName, attackCost: CostReport): Flag[] {
  if (verdict !== 'white-box with estimation' || attackCost.gradientExamples === 0) return [];
  const message =
    'gradients pass quantisation straight through: they are estimates, and a stronger attack may find smaller budgets';
  return [{ code: 'estimated-gradient', message, count: 1 }];
}
