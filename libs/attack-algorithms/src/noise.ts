import type { NoiseDistribution } from '@faultline/victim';
import { type AttackSetting, type AttackVariable, defineAttack } from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { keepBest, updateBest } from './best-point.ts';
import { goalMargin } from './goals.ts';
import { keepHighest } from './l0-ball.ts';
import { lossObjective } from './losses.ts';
import { epsilonName, epsilonParameters, settingConstants, stepwise, variableNoise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, clipToRange, confined, noiseAtSize, project } from './projection.ts';

const PARAMETERS = {
  distribution: {
    type: 'choice',
    description:
      'Of each coordinate, before all are scaled to the norm; by_norm: signs for L-inf and L0, gaussian for L2 and L1. In L0, of a random choice of coordinates, in units of the range.',
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

type NoiseNorm = BallNorm | 'l0';

const drawOf = (distribution: Distribution, norm: NoiseNorm): NoiseDistribution => {
  if (distribution !== 'by_norm') return DRAWS[distribution];
  return norm === 'linf' || norm === 'l0' ? 'signs' : 'normal';
};

/** Names of the two draws by which coordinates are chosen in L0. */
const choiceNames = (variable: string) => [`choice/${variable}`, `choice-too/${variable}`] as const;

/** Far below the rank of any coordinate that is free. */
const NOT_FREE = 10;

/** The draws of a random choice of coordinates, of L0's budget. */
function chosenOnly(b: ProgramBuilder, draw: string, count: string, variable: AttackVariable): string {
  const { name, dims } = variable;
  const [first, second] = choiceNames(name).map((slot) => b.read(`noise/${slot}`, dims));
  // Products near 0 are finer than any draw: hardly ever are two equal, and a count is exact.
  const rank = b.negate(b.op('Abs', [b.times(first ?? '', second ?? '')]));
  const free = confined(b, b.plus(b.times(rank, b.scalar(0)), b.scalar(1)), variable);
  const ranked = b.plus(rank, b.times(b.minus(free, b.scalar(1)), b.scalar(NOT_FREE)));
  return keepHighest(b, draw, ranked, count, dims);
}

/** Noise of the full budget, whatever its distribution. */
function initProgram(setting: AttackSetting<NoiseNorm>): Uint8Array {
  const { variables } = setting;
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims, band, weighted, norm = setting.norm } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const x0 = b.read(`x0/${name}`, dims);
    if (norm === 'l0') {
      const { low, high } = variable;
      const sparse = chosenOnly(
        b,
        b.times(confined(b, b.read(`noise/${name}`, dims), variable), b.scalar(high - low)),
        epsilon,
        variable,
      );
      b.write(`next/${name}`, clipToRange(b, turnedInside(b, x0, sparse, variable), variable), dims);
      continue;
    }
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
function stepProgram(setting: AttackSetting<NoiseNorm>): Uint8Array {
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
  norms: ['linf', 'l2', 'l1', 'l0'],
  mixes: ['linf', 'l2', 'l1'],
  attacksTaps: true,
  parameters: PARAMETERS,
  plan: (setting, values) => ({
    programs: {
      objective: lossObjective('margin', setting),
      init: initProgram(setting),
      step: stepProgram(setting),
    },
    noise: [
      ...variableNoise(setting, (norm) => drawOf(values.distribution, norm)),
      ...setting.variables
        .filter(({ norm = setting.norm }) => norm === 'l0')
        .flatMap(({ name, dims }) =>
          choiceNames(name).map((slot) => ({ name: slot, distribution: 'uniform' as const, dims })),
        ),
    ],
    constants: settingConstants(setting),
    steps: 0,
    initParameters: (examples) => epsilonParameters(setting, examples),
    // The objective is shared with the gradient attacks; its temperature does not touch the margin.
    stepParameters: (examples) => ({ temperature: stepwise([setting.logitScale], examples.length) }),
    // It needs no gradients: black boxes can be asked too.
    mode: 'evaluate',
  }),
});
