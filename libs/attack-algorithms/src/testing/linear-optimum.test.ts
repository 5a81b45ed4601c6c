import assert from 'node:assert/strict';
import { test } from 'node:test';
import { criticalScale, type LinearProblem, optimalMargin } from './linear-optimum.ts';
import { normal, randomNumbers } from './random.ts';

const SIZE = 1000;
const random = randomNumbers(5);
const vector = () => Float64Array.from({ length: SIZE }, () => normal(random));
const filled = (value: number) => new Float64Array(SIZE).fill(value);
const near = (actual: number, expected: number, share = 1e-4) =>
  assert.ok(Math.abs(actual - expected) <= share * Math.abs(expected), `${actual} is not near ${expected}`);

function problem(
  norm: 'linf' | 'l2' | 'l1',
  weights: readonly (readonly Float64Array[])[],
  margins: readonly number[],
): LinearProblem {
  const variables = weights.map((labels, index) => ({
    rho: index + 1,
    weights: labels,
    down: filled(-1e6),
    up: filled(1e6),
  }));
  return { norm, margins, variables };
}

test('without a box the critical scale is the margin over the dual norms', () => {
  const [a, b] = [vector(), vector()];
  const l1 = (w: Float64Array) => w.reduce((sum, value) => sum + Math.abs(value), 0);
  const l2 = (w: Float64Array) => Math.hypot(...w);
  near(criticalScale(problem('linf', [[a], [b]], [3])), 3 / (l1(a) + 2 * l1(b)));
  near(criticalScale(problem('l2', [[a], [b]], [3])), 3 / (l2(a) + 2 * l2(b)));
});

test('norms side by side, and in frames: the margin over the sum of all dual norms', () => {
  const [a, b] = [vector(), vector()];
  const box = { down: filled(-1e6), up: filled(1e6) };
  const l1 = (w: Float64Array) => w.reduce((sum, value) => sum + Math.abs(value), 0);
  const frames = [a.subarray(0, 300), a.subarray(300, 600), a.subarray(600, 900), a.subarray(900)];
  const perFrame = frames.reduce((sum, frame) => sum + Math.hypot(...frame), 0);
  const mixed = (frameSize?: number): LinearProblem => ({
    norm: 'l2',
    margins: [3],
    variables: [
      { ...box, rho: 2, weights: [a], frameSize },
      { ...box, rho: 0.5, weights: [b], norm: 'linf' },
    ],
  });
  near(criticalScale(mixed()), 3 / (2 * Math.hypot(...a) + 0.5 * l1(b)));
  near(criticalScale(mixed(300)), 3 / (2 * perFrame + 0.5 * l1(b)));
});

test('in L1 the critical scale is the margin over the steepest coordinate, until the box stops it', () => {
  const [a, b] = [vector(), vector()];
  const largest = (w: Float64Array) => w.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  near(criticalScale(problem('l1', [[a], [b]], [3])), 3 / (largest(a) + 2 * largest(b)));
  const descending = Float64Array.from({ length: SIZE }, (_, i) => SIZE - i);
  const variable = { rho: 1, weights: [descending], down: filled(-0.5), up: filled(0.5) };
  near(
    optimalMargin({ norm: 'l1', margins: [0], variables: [variable] }, 1.25),
    -(SIZE / 2 + (SIZE - 1) / 2 + (SIZE - 2) / 4),
  );
});

test('two labels with the same weights are as hard as the higher one', () => {
  const w = vector();
  near(criticalScale(problem('l2', [[w, w]], [3, 1])), 3 / Math.hypot(...w));
});

test('two labels with orthogonal weights and equal margins need sqrt(2) times the budget in L2', () => {
  const a = Float64Array.from({ length: SIZE }, (_, i) => (i % 2 === 0 ? 1 : 0));
  const b = Float64Array.from({ length: SIZE }, (_, i) => (i % 2 === 1 ? 1 : 0));
  near(criticalScale(problem('l2', [[a, b]], [2, 2])), (Math.SQRT2 * 2) / Math.hypot(...a));
});

test('where the box stops coordinates, the others take over their share of the budget', () => {
  const down = Float64Array.from({ length: SIZE }, (_, i) => (i < SIZE / 2 ? 0 : -1e6));
  const variable = { rho: 1, weights: [filled(1)], down, up: filled(1e6) };
  near(optimalMargin({ norm: 'l2', margins: [0], variables: [variable] }, 1), -Math.sqrt(SIZE / 2));
  near(optimalMargin({ norm: 'linf', margins: [0], variables: [variable] }, 1), -SIZE / 2);
});
