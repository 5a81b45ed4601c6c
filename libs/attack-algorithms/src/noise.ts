import type { NoiseDistribution } from '@faultline/victim';
import { type AttackSetting, type AttackVariable, defineAttack } from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { deactivationPlan } from './deactivation-plan.ts';
import { goalMargin } from './goals.ts';
import { epsilonName, epsilonParameters, stepwise, variableNoise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, clipToRange, noiseAtSize, project } from './projection.ts';

const PARAMETERS = {
  distribution: {
    type: 'choice',
    description:
      'Of each coordinate, before all are scaled to the norm; by_norm: signs for L-inf, gaussian for L2 and L1.',
    values: ['by_norm', 'signs', 'uniform', 'gaussian'],
    default: 'by_norm',
  },
} as const satisfies ParameterSpecs;

type Distribution = (typeof PARAMETERS)['distribution']['values'][number];

const DRAWS = {
  signs: 'signs',
  uniform: 'uniform',
  gaussian: 'normal',
} as const satisfies Record<Exclude<Distribution, 'by_norm'>, NoiseDistribution>;

const drawOf = (distribution: Distribution, norm: BallNorm): NoiseDistribution => {
  if (distribution !== 'by_norm') return DRAWS[distribution];
  return norm === 'linf' ? 'signs' : 'normal';
};

/** Noise of the full budget, whatever its distribution. */
function initProgram(setting: AttackSetting<BallNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, band, weighted, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const x0 = b.read(`x0/${name}`, dims);
    const delta = noiseAtSize(b, norm, b.read(`noise/${name}`, dims), epsilon, variable);
    const start =
      band === undefined && weighted === undefined ? turnedInside(b, x0, delta, variable) : b.plus(x0, delta);
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

/**
 * Random noise of the same norm as an attack's budget: what a gradient must beat to be worth its name. With restarts, the best of as many draws.
 * Cost: a forward evaluation a restart.
 */
export const noise = defineAttack({
  name: 'noise',
  summary: 'Random noise of equal norm, kept in the range: the baseline beside every attack.',
  source: 'baseline; random signs, uniform or Gaussian noise',
  kind: 'baseline',
  knowledge: 'nothing',
  norms: ['linf', 'l2', 'l1'],
  mixes: ['linf', 'l2', 'l1'],
  anyGoal: true,
  parameters: PARAMETERS,
  plan: (setting, values) => ({
    ...deactivationPlan(
      setting,
      { init: initProgram(setting), step: stepProgram(setting) },
      {
        steps: 0,
        noise: variableNoise(setting, (norm) => drawOf(values.distribution, norm)),
        initParameters: (examples) => epsilonParameters(setting, examples),
        // The objective is shared with the gradient attacks; its temperature does not touch the margin.
        stepParameters: (examples) => ({ temperature: stepwise([setting.logitScale], examples.length) }),
      },
    ),
    // It needs no gradients: black boxes can be asked too.
    mode: 'evaluate',
  }),
});
