import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack, inference } from '@faultline/contracts';
import fc from 'fast-check';
import { victimUnderTest } from '../peers/victim-under-test.ts';
import { threatModel } from '../test-support/linear-campaign.ts';
import { linearVictim, SAMPLES } from '../test-support/linear-victim.ts';
import { inspectCandidate } from './inspect.ts';

const { card } = linearVictim('v', { waveform: 1, frames: 1 });
const victim = victimUnderTest('v', inference.DescribeResponse.fromPartial({ card, maxExamples: 8 }));
const { NORM_LINF, NORM_L2, NORM_L1, NORM_L0 } = attack.Norm;

/** Half of the waveform, at 16 kHz. */
const HALF = attack.Region.fromPartial({ windows: [{ startSeconds: 0, endSeconds: SAMPLES / 2 / 16_000 }] });
/** Multiples of 1/64: exact in float32, as are their differences and, in float64, their squares and sums. */
const grid = fc.integer({ min: -80, max: 80 }).map((step) => step / 64);
const waveform = fc.array(grid, { minLength: SAMPLES, maxLength: SAMPLES });

/** What the definitions say of a point, written without the code under test. */
function expected(
  delta: readonly number[],
  point: readonly number[],
  norm: attack.Norm,
  epsilon: number,
  region: boolean,
) {
  const sizes = delta.map(Math.abs);
  const size = {
    [NORM_LINF]: Math.max(...sizes),
    [NORM_L2]: Math.sqrt(sizes.reduce((sum, one) => sum + one * one, 0)),
    [NORM_L1]: sizes.reduce((sum, one) => sum + one, 0),
    [NORM_L0]: sizes.filter((one) => one > 0).length,
  }[norm as 1 | 2 | 3 | 4];
  if (point.some((value) => Math.abs(value) > 1)) return { size, rejection: 'out-of-range' };
  if (size > epsilon) return { size, rejection: 'over-budget' };
  if (region && sizes.slice(SAMPLES / 2).some((one) => one > 0)) return { size, rejection: 'outside-region' };
  return { size, rejection: undefined };
}

test('budgets, ranges and regions are judged by their definitions, in every norm, on ladders and in searches', () => {
  const seen = new Map<string, number>();
  fc.assert(
    fc.property(
      waveform.map((values) => values.map((value) => value / 2)),
      waveform,
      fc.record({
        norm: fc.constantFrom(NORM_LINF, NORM_L2, NORM_L1, NORM_L0),
        share: fc.constantFrom(0, 0, 1 / 16, 1 / 2, 1),
        region: fc.boolean(),
        halved: fc.boolean(),
        isSearch: fc.boolean(),
        rho: fc.constantFrom(1 / 64, 1 / 4, 4, 64),
      }),
      (clean, direction, { norm, share, region, halved, isSearch, rho }) => {
        const delta = direction.map((value, index) => (halved && index >= SAMPLES / 2 ? 0 : value * share));
        const point = clean.map((value, index) => value + (delta[index] ?? 0));
        const variables = [
          attack.VariableBudget.fromPartial({ variable: 'waveform', rho, region: region ? HALF : undefined }),
        ];
        const rungs = [{ scale: 2, stopping: attack.Stopping.STOPPING_EARLY }];
        const model = threatModel({ norm, variables, ...(isSearch ? { rungs: [], maxScale: 2 } : { rungs }) });
        const inspection = inspectCandidate(
          {
            rung: isSearch ? undefined : 0,
            clip: 0,
            adversarial: new Map([['waveform', Float32Array.from(point)]]),
            believedMargin: -1,
          },
          new Map([['waveform', { dims: [SAMPLES], data: Float32Array.from(clean) }]]),
          model,
          victim,
        );
        const { size, rejection } = expected(delta, point, norm, 2 * rho, region);
        assert.equal(inspection.rejection, rejection);
        assert.ok(Math.abs((inspection.measured.get('waveform')?.norm ?? Number.NaN) - size) <= 1e-12 * size);
        assert.ok(Math.abs(inspection.scale - (isSearch ? size / rho : 2)) <= 1e-12 * inspection.scale);
        seen.set(String(rejection), (seen.get(String(rejection)) ?? 0) + 1);
      },
    ),
    { numRuns: 500, seed: 1 },
  );
  // Each verdict was met, so that each was tested.
  assert.deepEqual([...seen.keys()].sort(), ['out-of-range', 'outside-region', 'over-budget', 'undefined']);
});
