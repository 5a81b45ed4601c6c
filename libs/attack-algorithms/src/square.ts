import {
  type AttackSetting,
  type AttackVariable,
  defineAttack,
  type ExampleBudget,
  type Parameters,
} from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { keepBest, NO_MARGIN, updateBest } from './best-point.ts';
import { blackBoxPlan } from './black-box-plan.ts';
import { epsilonName, epsilonParameters, stepwise, variableNoise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { confined, euclideanLength, keepBounds, maskName, project, projectAgain, scaledTo } from './projection.ts';
import { affordedSteps, queriesParameter } from './query-budget.ts';
import { readWindow, sizeName, WINDOW_NOISE, type Window, windowAxes, windowSizes } from './square-window.ts';

type SquareNorm = 'linf' | 'l2';

const PARAMETERS = {
  queries: queriesParameter(5_000),
  window_share: {
    type: 'number',
    description: 'Share of the coordinates that the first windows cover; it falls to a 512th of that.',
    minimum: 1e-4,
    maximum: 1,
    default: 0.05,
  },
  transfer: {
    type: 'choice',
    description: 'L2 only: how much of a window moves to another: a random part, or as in the paper the whole.',
    values: ['part', 'whole'],
    default: 'part',
  },
} as const satisfies ParameterSpecs;

type Transfer = 'part' | 'whole';

/** Where the window's share is halved, in shares of all queries: section 5 of the source, written there for 10,000 queries. */
const HALVINGS = [0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8] as const;

/** Share of the coordinates that a window covers, by query. */
export function windowShare(first: number, query: number, queries: number): number {
  return first / 2 ** HALVINGS.filter((share) => query > share * queries).length;
}

/** A segment or square of one coordinate has no pattern for L2 (section 4.2). */
const SMALLEST_WINDOW = { linf: 1, l2: 3 } as const satisfies Record<SquareNorm, number>;

/** The slot in which the point stands that the present start has come to. */
const currentSlot = (variable: string) => `state/current/${variable}`;

/** Lengths are divided by this at least. */
const SMALLEST_LENGTH = 1e-18;

/** Every start is stripes of random signs along one axis, of the full budget (section 3.2). */
function initProgram({ variables, norm }: AttackSetting<SquareNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const signs = confined(b, stripes(b, variable), variable);
    const delta = norm === 'linf' ? b.times(signs, b.spread(epsilon, dims)) : scaledTo(b, norm, signs, epsilon, dims);
    const start = project(b, norm, b.plus(b.read(`x0/${name}`, dims), delta), epsilon, variable);
    b.write(`next/${name}`, start, dims);
    b.write(`next/${currentSlot(name)}`, `next/${name}`, dims);
    keepBounds(b, norm, epsilon, variable);
  }
  b.write('next/state/currentMargin', b.plus(b.times(b.read('state/currentMargin'), b.scalar(0)), b.scalar(NO_MARGIN)));
  keepBest(b, variables);
  return b.bytes('square-init');
}

/** Signs [examples, ...dims]: one for each sample of a waveform; one for each column, channel and frame of pictures. */
function stripes(b: ProgramBuilder, { name, dims }: AttackVariable): string {
  const signs = b.read(`noise/${name}`, dims);
  if (dims.length < 4) return signs;
  const row = b.slice(signs, [0], [1], [3]);
  return b.op('Expand', [row, b.ints([1, ...dims])]);
}

/** Takes the evaluated point where its margin is the lowest of this start, and proposes that point with another window. */
function stepProgram({ variables, norm }: AttackSetting<SquareNorm>, transfer: Transfer): Uint8Array {
  const b = new ProgramBuilder();
  const margin = b.read('loss');
  updateBest(b, variables, margin);
  const known = b.read('state/currentMargin');
  const lower = b.op('Less', [margin, known]);
  b.write('next/state/currentMargin', b.op('Where', [lower, margin, known]));
  const place = b.op('Floor', [
    b.times(b.plus(b.reshape(b.read('noise/choice', [1]), [-1]), b.scalar(1)), b.scalar(variables.length / 2)),
  ]);
  for (const [index, variable] of variables.entries()) {
    const { name, dims } = variable;
    const x0 = b.read(`x0/${name}`, dims);
    const epsilon = b.read(`param/${epsilonName(name)}`);
    const current = b.op('Where', [b.spread(lower, dims), b.read(`x/${name}`, dims), b.read(currentSlot(name), dims)]);
    b.write(`next/${currentSlot(name)}`, current, dims);
    const delta = b.minus(current, x0);
    const moved =
      norm === 'linf' ? signedWindow(b, delta, epsilon, variable) : movedMass(b, delta, epsilon, variable, transfer);
    const proposal = projectAgain(b, norm, b.plus(x0, confinedToBand(b, moved, variable)), epsilon, variable);
    const chosen = b.op('Equal', [b.spread(place, dims), b.scalar(index)]);
    b.write(`next/${name}`, variables.length === 1 ? proposal : b.op('Where', [chosen, proposal, current]), dims);
  }
  return b.bytes('square-step');
}

/** Masks are held by the windows; a band is what the projection brings everything back to. */
const confinedToBand = (b: ProgramBuilder, delta: string, variable: AttackVariable) =>
  variable.band === undefined ? delta : confined(b, delta, variable);

/** What of a window the variable's mask leaves. */
function masked(b: ProgramBuilder, inside: string, { name, dims, mask }: AttackVariable): string {
  return mask === undefined ? inside : b.times(inside, b.constantSlot(maskName(name), [1, ...dims]));
}

/** L-inf (section 4.1): plus or minus epsilon in the window, one sign for each channel. */
function signedWindow(b: ProgramBuilder, delta: string, epsilon: string, variable: AttackVariable): string {
  const window = readWindow(b, 'window', variable);
  const inside = masked(b, window.inside, variable);
  const kept = b.times(delta, b.minus(b.scalar(1), inside));
  return b.plus(kept, b.times(b.times(inside, window.signs), b.spread(epsilon, variable.dims)));
}

/**
 * L2 (section 4.2): a second window is emptied; its mass, and what is left of the budget, goes to the first one, in the direction half of what is
 * there and half of a pattern that falls from the middle and changes its sign there. Near the optimum whole windows are too much to move: of linear
 * victims a sixth of the margin stays. A random part is moved instead, and the pattern weighs as much.
 */
function movedMass(
  b: ProgramBuilder,
  delta: string,
  epsilon: string,
  variable: AttackVariable,
  transfer: Transfer,
): string {
  const { dims } = variable;
  const [to, from] = [readWindow(b, 'window', variable), readWindow(b, 'source', variable)];
  const inside = masked(b, to.inside, variable);
  const either = b.op('Max', [inside, masked(b, from.inside, variable)]);
  const moved = transfer === 'whole' ? b.scalar(1) : to.share;
  const left = b.times(b.times(either, b.minus(b.scalar(1), inside)), b.minus(b.scalar(1), moved));
  const kept = b.times(delta, b.plus(b.minus(b.scalar(1), either), left));
  const keptLength = euclideanLength(b, kept, dims);
  const square = b.minus(b.times(epsilon, epsilon), b.times(keptLength, keptLength));
  const available = b.op('Sqrt', [b.relu(square)]);
  const unit = (value: string) => {
    const length = b.op('Max', [euclideanLength(b, value, dims), b.scalar(SMALLEST_LENGTH)]);
    return b.over(value, b.spread(length, dims));
  };
  const pattern = b.times(b.times(peak(b, to), b.times(to.signs, to.halves)), inside);
  const direction = unit(b.plus(b.times(unit(pattern), moved), unit(b.times(delta, inside))));
  return b.plus(kept, b.times(direction, b.spread(available, dims)));
}

/** Sum of 1 / j^2 for j from the distance to the middle up to the edge (equation 2), by the midpoint rule. */
function peak(b: ProgramBuilder, { fromMiddle, half }: Window): string {
  const inverse = (distance: string, offset: number) => b.over(b.scalar(1), b.plus(distance, b.scalar(offset)));
  return b.relu(b.minus(inverse(fromMiddle, 0.5), inverse(half, 1.5)));
}

/**
 * Random search by windows of falling size: no gradients, a query a step.
 * Source: Andriushchenko et al. 2020, "Square Attack: a query-efficient black-box adversarial attack via random search", sections 3 to 5; windows
 * of waveforms are segments, those of pictures squares in a run of frames; of several variables each step changes one.
 */
export const square = defineAttack({
  name: 'square',
  summary: 'Random search by segments and squares of falling size; knows the scores of its queries alone.',
  source: 'Andriushchenko et al. 2020, arXiv 1912.00049',
  kind: 'fixed budget',
  knowledge: 'scores',
  norms: ['linf', 'l2'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const { variables, norm } = setting;
    const steps = affordedSteps(values.queries, 1);
    const slots = norm === 'linf' ? ['window'] : ['window', 'source'];
    const sizes = (first: number, count: number, examples: readonly ExampleBudget[]): Parameters => {
      const shares = Array.from({ length: Math.max(1, count) }, (_, step) =>
        windowShare(values.window_share, first + step, steps),
      );
      return Object.fromEntries(
        variables.flatMap((variable) =>
          windowAxes(variable).map(({ axis }, index) => [
            sizeName(variable.name, axis),
            stepwise(
              shares.map((share) => windowSizes(variable, share, SMALLEST_WINDOW[norm])[index] ?? 1),
              examples.length,
            ),
          ]),
        ),
      );
    };
    return blackBoxPlan(setting, {
      init: initProgram(setting),
      step: stepProgram(setting, values.transfer),
      steps,
      noise: [
        ...variableNoise(setting, () => 'signs'),
        { name: 'choice', distribution: 'uniform', dims: [1] },
        ...slots.map((name) => ({ name, distribution: 'uniform' as const, dims: [WINDOW_NOISE] })),
      ],
      initParameters: (examples) => epsilonParameters(setting, examples),
      stepParameters: (examples, first, count) => ({
        ...epsilonParameters(setting, examples),
        ...sizes(first, count, examples),
      }),
    });
  },
});
