import type { AttackSetting, AttackVariable } from './attack.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, confined } from './projection.ts';

/** Step sizes in units of epsilon: the first one, and L1's smallest. Croce, Hein 2020, section 3.1; 2021, section 3.2. */
export const FIRST_STEP = { linf: 2, l2: 2, l1: 1 } as const satisfies Record<BallNorm, number>;
const SMALLEST_SPARSE_STEP = 0.1;

/** L1: share of the coordinates that the first steps move; by which factor sparsity and step size fall; what counts as getting sparser. Ibid., 2021. */
const FIRST_SHARE = 0.2;
const SPARSITY_DIVISOR = 1.5;
const STEP_DIVISOR = 1.5;
const SPARSER = 0.95;

/** Where the next step of a variable begins, [examples, ...dims]. */
export interface Base {
  readonly variable: AttackVariable<BallNorm>;
  readonly point: string;
  readonly gradient: string;
  /** Share of the coordinates that a sparse step moves, [examples]; L1 only. */
  readonly share: string;
}

/** What the state says of the next step. */
export interface NextStep {
  /** In units of epsilon, [examples]. */
  readonly stepSize: string;
  readonly bases: readonly Base[];
}

/** Boolean values of a program, [examples]. */
const and = (b: ProgramBuilder, left: string, right: string) => b.op('And', [left, right]);
const or = (b: ProgramBuilder, left: string, right: string) => b.op('Or', [left, right]);
const where = (b: ProgramBuilder, condition: string, yes: string, no: string) => b.op('Where', [condition, yes, no]);
const isSet = (b: ProgramBuilder, flag: string) => b.op('Greater', [flag, b.scalar(0)]);
const asNumber = (b: ProgramBuilder, condition: string) => where(b, condition, b.scalar(1), b.scalar(0));

/** Number of coordinates of each example that are not 0, [examples]. */
const countOf = (b: ProgramBuilder, delta: string) =>
  b.reduceSum(b.op('Abs', [b.op('Sign', [b.reshape(delta, [0, -1])])]), [1], false);

const elementsOf = ({ dims }: AttackVariable) => dims.reduce((product, size) => product * size, 1);

/** Keeps the iterate of the lowest `loss` [examples] and its gradient, counts descents, and at checkpoints decides on step sizes: part of APGD's step program. */
export function advanceState(b: ProgramBuilder, { variables, norm }: AttackSetting<BallNorm>, loss: string): NextStep {
  const first = isSet(b, b.read('param/first'));
  const lower = b.op('Less', [loss, b.read('state/bestLoss')]);
  const better = or(b, first, lower);
  const bestLoss = where(b, better, loss, b.read('state/bestLoss'));
  b.write('next/state/bestLoss', bestLoss);

  const found = variables.map((variable) => {
    const { name, dims } = variable;
    const x = b.read(`x/${name}`, dims);
    const gradient = confined(b, b.read(`grad/${name}`, dims), variable);
    const take = b.spread(better, dims);
    const bestPoint = where(b, take, x, b.read(`state/lowest-loss/${name}`, dims));
    const bestGradient = where(b, take, gradient, b.read(`state/lowest-loss-gradient/${name}`, dims));
    b.write(`next/state/lowest-loss/${name}`, bestPoint, dims);
    b.write(`next/state/lowest-loss-gradient/${name}`, bestGradient, dims);
    return { variable, x, gradient, bestPoint, bestGradient };
  });
  const known = { first, loss, bestLoss, found };
  const { stepSize, returns, shares } = norm === 'l1' ? sparseDecision(b, known) : decision(b, FIRST_STEP[norm], known);
  b.write('next/state/stepSize', stepSize);
  b.write('outcome/stepSize', stepSize);
  b.write('outcome/loss', loss);
  const bases = found.map(({ variable, x, gradient, bestPoint, bestGradient }, index) => {
    const back = b.spread(returns, variable.dims);
    return {
      variable,
      point: where(b, back, bestPoint, x),
      gradient: where(b, back, bestGradient, gradient),
      share: shares[index] ?? '',
    };
  });
  return { stepSize, bases };
}

interface Found {
  readonly first: string;
  readonly loss: string;
  readonly bestLoss: string;
  readonly found: readonly { readonly variable: AttackVariable; readonly bestPoint: string }[];
}

interface Decision {
  /** [examples] */
  readonly stepSize: string;
  /** Boolean: the next step begins at the lowest-loss iterate, [examples]. */
  readonly returns: string;
  /** By variable, [examples]; L1 only. */
  readonly shares: readonly string[];
}

/** L-inf and L2: halved where the iterate oscillates, or where nothing was found at this size and the size was kept. Croce, Hein 2020, conditions 1 and 2. */
function decision(b: ProgramBuilder, firstStep: number, { first, loss, bestLoss }: Found): Decision {
  const check = isSet(b, b.read('param/check'));
  const descends = asNumber(b, b.op('Less', [loss, b.read('state/lastLoss')]));
  const descents = where(b, first, b.scalar(0), b.plus(b.read('state/descents'), descends));
  const oscillates = b.op('LessOrEqual', [descents, b.read('param/fewestDescents')]);
  const keptSize = b.op('Equal', [b.read('state/halved'), b.scalar(0)]);
  const nothingFound = b.op('LessOrEqual', [b.read('state/bestLossAtCheck'), bestLoss]);
  const halves = and(b, check, or(b, oscillates, and(b, keptSize, nothingFound)));

  const size = where(b, first, b.scalar(firstStep), b.read('state/stepSize'));
  const halved = where(b, check, asNumber(b, halves), b.read('state/halved'));
  // The first checkpoint does not ask whether the size was kept: there was none before it.
  b.write('next/state/halved', where(b, first, b.scalar(1), halved));
  b.write('next/state/lastLoss', loss);
  b.write('next/state/descents', where(b, check, b.scalar(0), descents));
  b.write('next/state/bestLossAtCheck', where(b, or(b, first, check), bestLoss, b.read('state/bestLossAtCheck')));
  return { stepSize: where(b, halves, b.times(size, b.scalar(0.5)), size), returns: halves, shares: [] };
}

/**
 * L1: as sparse as the best point, and sparser; where that got sparser, from the best point with the first step size, else with a smaller one. Croce,
 * Hein 2021, algorithm 1. Several variables: each has its own sparsity, and together they decide. Where param/settling is above 0 it is the step size.
 */
function sparseDecision(b: ProgramBuilder, { first, found }: Found): Decision {
  const check = isSet(b, b.read('param/check'));
  const counts = found.map(({ variable, bestPoint }) =>
    countOf(b, b.minus(bestPoint, b.read(`x0/${variable.name}`, variable.dims))),
  );
  const count = counts.reduce((sum, next) => b.plus(sum, next));
  const everything = b.scalar(found.reduce((sum, { variable }) => sum + elementsOf(variable), 0));
  const before = where(b, first, everything, b.read('state/count'));
  const sparser = and(b, check, b.op('Less', [b.over(count, before), b.scalar(SPARSER)]));
  b.write('next/state/count', where(b, check, count, before));

  const largest = b.scalar(FIRST_STEP.l1);
  const size = where(b, first, largest, b.read('state/stepSize'));
  const smaller = b.op('Max', [b.over(size, b.scalar(STEP_DIVISOR)), b.scalar(SMALLEST_SPARSE_STEP)]);
  const stepSize = where(b, sparser, largest, where(b, check, smaller, size));
  const shares = found.map(({ variable }, index) => {
    const slot = `state/share/${variable.name}`;
    const next = b.over(b.over(counts[index] ?? '', b.scalar(elementsOf(variable))), b.scalar(SPARSITY_DIVISOR));
    const share = where(b, check, next, where(b, first, b.scalar(FIRST_SHARE), b.read(slot)));
    b.write(`next/${slot}`, share);
    return share;
  });
  // The settling at the end has its own sizes and shares, and begins at the best point.
  const settles = isSet(b, b.read('param/settling'));
  return {
    stepSize: where(b, settles, b.read('param/settling'), stepSize),
    returns: or(b, sparser, isSet(b, b.read('param/settlingBegins'))),
    shares: shares.map((share) => where(b, settles, b.read('param/settlingShare'), share)),
  };
}
