import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DenseTensor } from '@faultline/contracts';
import { valueRange } from '@faultline/victim';
import fc from 'fast-check';
import { inwardEpsilon } from './float32-bounds.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';

const linear = await LinearVictim.create(3);
after(() => linear[Symbol.asyncDispose]());

/** Norm of (point - clean) in float64, as a verifier computes it. */
function distance(norm: 'linf' | 'l2', point: Float32Array, clean: Float32Array): number {
  let [largest, squares] = [0, 0];
  for (const [index, value] of point.entries()) {
    const difference = value - (clean[index] ?? Number.NaN);
    largest = Math.max(largest, Math.abs(difference));
    squares += difference * difference;
  }
  return norm === 'linf' ? largest : Math.sqrt(squares);
}

const cleanRow = (tensor: DenseTensor | undefined, clip: number, clips: number) => {
  const all = floats(tensor);
  return all.subarray((clip * all.length) / clips, ((clip + 1) * all.length) / clips);
};

test('no perturbation exceeds its budget or leaves the range', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        norm: fc.constantFrom('linf' as const, 'l2' as const),
        attack: fc.constantFrom('pgd', 'noise'),
        exponent: fc.double({ min: -4, max: 0.5, noNaN: true }),
        atTheBox: fc.double({ min: 0, max: 1, noNaN: true }),
        bytes: fc.boolean(),
        steps: fc.integer({ min: 1, max: 6 }),
        seed: fc.integer({ min: 0, max: 1e6 }),
      }),
      async ({ norm, attack, exponent, atTheBox, bytes, steps, seed }) => {
        const clips = 2;
        const inputs = linear.clips(clips, atTheBox, seed, bytes);
        const budgets = new Map([
          ['waveform', 10 ** exponent],
          ['frames', 0.7 * 10 ** exponent],
        ]);
        const scales = [0, 0.01, 1];
        const run = runOf({
          inputs,
          labels: [[0], [1, 2]],
          labelCount: 3,
          norm,
          budgets,
          attack,
          steps,
          seed,
          rungs: scales.map((scale) => [scale, 'never']),
        });
        const { rows } = await collect(linear.victim, run);
        assert.equal(rows.length, clips * scales.length);
        for (const { rung, clip, point } of rows) {
          for (const input of linear.card.inputs) {
            const epsilon = (scales[rung] ?? Number.NaN) * (budgets.get(input.name) ?? Number.NaN);
            const x = point.get(input.name) ?? new Float32Array();
            const size = distance(norm, x, cleanRow(inputs.get(input.name), clip, clips));
            assert.ok(size <= epsilon, `${input.name}: ${size} exceeds ${epsilon}`);
            const { low, high } = valueRange(input);
            assert.ok(x.every((value) => value >= low && value <= high));
          }
        }
      },
    ),
    { numRuns: 60, seed: 1 },
  );
});

test('away from the box nearly all of a budget is used', async () => {
  const inputs = linear.clips(1, 0, 8);
  const budgets = new Map([
    ['waveform', 0.02],
    ['frames', 0.01],
  ]);
  for (const norm of ['linf', 'l2'] as const) {
    for (const attack of ['pgd', 'noise']) {
      const run = runOf({ inputs, labels: [[0]], labelCount: 3, norm, budgets, attack, rungs: [[1, 'never']] });
      const { rows } = await collect(linear.victim, run);
      for (const [name, epsilon] of budgets) {
        const size = distance(norm, rows[0]?.point.get(name) ?? new Float32Array(), floats(inputs.get(name)));
        assert.ok(size > 0.999 * epsilon, `${attack} ${norm} ${name}: ${size} of ${epsilon}`);
      }
    }
  }
});

test('rounding inward costs next to nothing of budgets that matter', () => {
  const waveform = { elements: 32_000, norm: 0.9 };
  assert.ok(inwardEpsilon('linf', 0.002, waveform) > 0.002 * (1 - 1e-4));
  assert.ok(inwardEpsilon('l2', 0.5, { elements: 98_304, norm: 160 }) > 0.5 * (1 - 1e-4));
  assert.equal(inwardEpsilon('l2', 0, waveform), 0);
  assert.equal(inwardEpsilon('linf', 1e-9, waveform), 0);
});
