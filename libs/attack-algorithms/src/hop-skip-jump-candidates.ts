import type { Phase } from './hop-skip-jump-schedule.ts';
import type { MinimumNormSetting, ScaledVariable } from './minimum-norm.ts';
import type { ProgramBuilder } from './program-builder.ts';
import { confined } from './projection.ts';

/** Norms that HopSkipJump knows. */
export type HopNorm = 'linf' | 'l2';

/** The largest batch that most servers take is a multiple of it. */
export const SAMPLES = 32;

/** The shortest stride that `move` tries, as a power of two of the longest. */
const STRIDE_HALVINGS = 8;

/** No limit to a coordinate. */
const UNLIMITED = 1e9;

/** One number for each sample, [1, samples]. */
export const ramp = (b: ProgramBuilder, at: (index: number) => number) =>
  b.constant({
    dataType: 'float32',
    dims: [1, SAMPLES],
    data: Float32Array.from({ length: SAMPLES }, (_, index) => at(index)),
  });

/** How many rows of x and x0 an example has: the transform program sees the point once for each sample, the step program once. */
type Rows = typeof SAMPLES | 1;

/** 1 for the examples that are in this phase, [examples]: those that have found nothing yet are looking for a start, whatever the schedule says. */
export function phaseOf(b: ProgramBuilder, wanted: Phase): string {
  const [found, scheduled] = [b.read('state/found'), b.read(`param/${wanted}`)];
  return wanted === 'start' ? b.op('Max', [scheduled, b.minus(b.scalar(1), found)]) : b.times(scheduled, found);
}

/** Places on the line that `blend` looks at, [examples, samples], ascending. */
export function linePlaces(b: ProgramBuilder): string {
  const [low, high] = [b.reshape(b.read('state/low'), [-1, 1]), b.reshape(b.read('state/high'), [-1, 1])];
  return b.plus(
    low,
    b.times(
      b.minus(high, low),
      ramp(b, (index) => (index + 1) / (SAMPLES + 1)),
    ),
  );
}

/**
 * The points of this step, [examples, samples, ...dims], so ordered that the first adversarial one is the best. They are base + c direction + e noise,
 * where the phase decides about each.
 */
export function candidates(
  b: ProgramBuilder,
  { norm }: MinimumNormSetting<HopNorm>,
  variable: ScaledVariable,
  rows: Rows,
): string {
  const { name, dims, low, high, rho, band } = variable;
  const ones = dims.map(() => 1);
  const rank = (value: string) => b.reshape(value, [-1, 1, ...ones]);
  const perSample = (value: string) => b.reshape(value, [0, 0, ...ones]);
  const phase = (wanted: Phase) => phaseOf(b, wanted);
  const state = (slot: string) => b.reshape(b.read(slot, dims), [-1, 1, ...dims]);
  const point = (slot: string) =>
    rows === 1 ? b.reshape(b.read(slot, dims), [-1, 1, ...dims]) : b.read(slot, [rows, ...dims]);
  const kept = (value: string, count: Rows) =>
    b.reshape(confined(b, b.reshape(value, [-1, ...dims]), variable), [-1, count, ...dims]);
  const x0 = point(`x0/${name}`);
  const scale = b.read('state/scale');

  const onBoundary = rank(b.plus(phase('probe'), phase('move')));
  const base = b.plus(x0, b.times(onBoundary, b.minus(point(`x/${name}`), x0)));
  const column = (value: string) => b.reshape(value, [-1, 1]);
  // Every other start is on the way through the middle of the range to the mirrored clip, those between on the way to noise.
  const isMirrored = (index: number) => index % 2 === 1;
  const strength = (index: number) => index / (SAMPLES - 1);
  const starting = (at: (index: number) => number) => b.times(column(phase('start')), ramp(b, at));
  const mirrored = starting((index) => strength(index) * (isMirrored(index) ? 2 : 1));
  const noisy = starting((index) => (isMirrored(index) ? 0 : strength(index)));

  const towardsMiddle = kept(b.minus(b.scalar((low + high) / 2), x0), rows);
  const drawn = kept(b.read(`noise/${name}`, [SAMPLES, ...dims]), SAMPLES);
  const radius = b.times(b.times(b.times(phase('probe'), b.read('param/radius')), scale), b.scalar(rho));
  const loudness = b.plus(b.times(noisy, b.scalar((high - low) / 2)), column(radius));

  const strides = b.times(
    column(b.read('param/stride')),
    ramp(b, (index) => 2 ** ((-STRIDE_HALVINGS * index) / (SAMPLES - 1))),
  );
  const moving = b.times(column(b.times(phase('move'), b.times(scale, b.scalar(rho)))), strides);
  const line = linePlaces(b);
  const isCube = norm === 'linf' && band === undefined;
  const share = isCube ? b.plus(b.times(line, b.scalar(0)), b.scalar(1)) : line;
  const blending = b.times(column(phase('blend')), share);

  const terms = [
    b.times(perSample(mirrored), towardsMiddle),
    b.times(perSample(loudness), drawn),
    b.times(perSample(moving), state(`state/direction/${name}`)),
    b.times(perSample(blending), b.minus(state(`state/far/${name}`), x0)),
  ];
  const increment = terms.reduce((one, other) => b.plus(one, other));
  return b.op('Clip', [b.plus(base, isCube ? limited() : increment), b.scalar(low), b.scalar(high)]);

  /** In L-inf the line goes through ever smaller cubes around the clean point. */
  function limited(): string {
    const blends = column(phase('blend'));
    const side = b.times(column(b.times(b.read('state/farScale'), b.scalar(rho))), line);
    const free = b.times(b.minus(b.scalar(1), blends), b.scalar(UNLIMITED));
    const limit = perSample(b.plus(b.times(blends, side), free));
    return b.op('Max', [b.op('Min', [increment, limit]), b.negate(limit)]);
  }
}
