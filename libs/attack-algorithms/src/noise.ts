import type { AttackDefinition, AttackSetting, NormName } from './attack.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationObjective, exactMargin } from './deactivation.ts';
import { epsilonName, epsilonParameters, settingConstants, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { clipToRange, masked, project, steepest } from './projection.ts';

/** Noise of the full budget: random signs times epsilon for L-inf, a random direction of length epsilon for L2. */
function initProgram({ variables, norm }: AttackSetting): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const noise = masked(b, b.read(`noise/${name}`, dims), variable);
    const x0 = b.read(`x0/${name}`, dims);
    const delta = steepest(b, norm, noise, dims, epsilon);
    // Noise that leaves the range goes the other way instead, for clipping alone would make it shorter than the attack's.
    const ahead = b.plus(x0, delta);
    const inside = b.op('Equal', [clipToRange(b, ahead, variable), ahead]);
    const start = b.op('Where', [inside, ahead, b.minus(x0, delta)]);
    b.write(`next/${name}`, project(b, norm, start, epsilon, variable), dims);
  }
  keepBest(b, variables);
  return b.bytes('noise-init');
}

/** Evaluates and stays where it is. */
function stepProgram({ variables, thresholds }: AttackSetting): Uint8Array {
  const b = new ProgramBuilder();
  for (const { name, dims } of variables) b.write(`next/${name}`, b.read(`x/${name}`, dims), dims);
  updateBest(b, variables, exactMargin(b, thresholds.length));
  return b.bytes('noise-step');
}

const NOISE = { linf: 'uniform', l2: 'normal' } as const satisfies Record<NormName, string>;

/** Random noise of the same norm as an attack's budget: what a gradient must beat to be worth its name. */
export const noise: AttackDefinition = {
  name: 'noise',
  summary: 'Random noise of equal norm, kept in the range: the baseline beside every attack.',
  source: 'baseline; random signs (L-inf) or a Gaussian direction (L2)',
  norms: ['linf', 'l2'],
  whiteBox: false,
  plan: (setting) => ({
    programs: {
      objective: deactivationObjective(setting.thresholds.length),
      step: stepProgram(setting),
      init: initProgram(setting),
    },
    noise: NOISE[setting.norm],
    constants: settingConstants(setting),
    steps: 0,
    initParameters: (examples) => epsilonParameters(setting, examples),
    // The objective is shared with the gradient attacks; its temperature does not touch the margin.
    stepParameters: (examples) => ({ temperature: stepwise([setting.logitScale], examples.length) }),
  }),
};
