import { type AttackSetting, type AttackVariable, defineAttack } from './attack.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { epsilonName, epsilonParameters, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, clipToRange, confined, project, steepest } from './projection.ts';

/** Noise of the full budget: random signs times epsilon for L-inf, a random direction of length epsilon for L2. */
function initProgram({ variables, norm }: AttackSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, band } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const direction = confined(b, b.read(`noise/${name}`, dims), variable);
    const x0 = b.read(`x0/${name}`, dims);
    const delta = steepest(b, norm, direction, variable, epsilon);
    const start = band === undefined ? turnedInside(b, x0, delta, variable) : b.plus(x0, delta);
    b.write(`next/${name}`, project(b, norm, start, epsilon, variable), dims);
  }
  keepBest(b, variables);
  return b.bytes('noise-init');
}

/** x0 + delta, where noise that leaves the range goes the other way instead: clipping alone would make it shorter than the attack's. */
function turnedInside(b: ProgramBuilder, x0: string, delta: string, variable: AttackVariable): string {
  const ahead = b.plus(x0, delta);
  const inside = b.op('Equal', [clipToRange(b, ahead, variable), ahead]);
  return b.op('Where', [inside, ahead, b.minus(x0, delta)]);
}

/** Evaluates and stays where it is. */
function stepProgram(setting: AttackSetting<BallNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const { name, dims } of variables) b.write(`next/${name}`, b.read(`x/${name}`, dims), dims);
  updateBest(b, variables, goalMargin(b, setting));
  return b.bytes('noise-step');
}

/** Random noise of the same norm as an attack's budget: what a gradient must beat to be worth its name. */
export const noise = defineAttack({
  name: 'noise',
  summary: 'Random noise of equal norm, kept in the range: the baseline beside every attack.',
  source: 'baseline; random signs (L-inf) or a Gaussian direction (L2)',
  kind: 'baseline',
  knowledge: 'nothing',
  norms: ['linf', 'l2'],
  parameters: {},
  plan: (setting) =>
    deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting) },
      {
        steps: 0,
        initParameters: (examples) => epsilonParameters(setting, examples),
        // The objective is shared with the gradient attacks; its temperature does not touch the margin.
        stepParameters: (examples) => ({ temperature: stepwise([setting.logitScale], examples.length) }),
      },
    ),
});
