import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { type DenseTensor, elementCount } from '@faultline/contracts';
import { exampleDims, valueRange } from '@faultline/victim';
import fc from 'fast-check';
import type { NormName } from './attack.ts';
import type { ParameterSpecs } from './attack-parameters.ts';
import { catalogue } from './catalogue.ts';
import { inwardEpsilon, vectorNorm } from './float32-bounds.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';
import { randomNumbers } from './testing/random.ts';
import { collectSearch } from './testing/search-setting.ts';

/** Budgets are drawn around these. */
const UNITS = { linf: 1, l2: 1, l1: 10, l0: 100 } as const;

const linear = await LinearVictim.create(3);
after(() => linear[Symbol.asyncDispose]());

const cleanRow = (tensor: DenseTensor | undefined, clip: number, clips: number) => {
  const all = floats(tensor);
  return all.subarray((clip * all.length) / clips, ((clip + 1) * all.length) / clips);
};

/** (point - clean) in float32, exactly as a verifier has it: both are. */
const difference = (point: Float32Array, clean: Float32Array) =>
  Float64Array.from(point, (value, index) => value - (clean[index] ?? Number.NaN));

/** A small query budget, for attacks that have one. */
function fewQueries({ queries }: ParameterSpecs): Record<string, number> {
  return queries?.type === 'number' ? { queries: Math.max(queries.minimum, 40) } : {};
}

/** Every attack of the catalogue within a budget, in each of its norms. */
const BOUNDED = [...catalogue.values()].flatMap((row) =>
  // The linear victim has no taps: attacks on features have tests of their own.
  row.kind === 'minimum norm' || row.kind === 'universal' || row.taps !== undefined
    ? []
    : row.norms.map((norm) => ({ attack: row.name, norm, parameters: fewQueries(row.parameters) })),
);
const SEARCHES = [...catalogue.values()].flatMap((row) =>
  row.kind === 'minimum norm'
    ? row.norms.map((norm) => ({
        attack: row.name,
        norm,
        parameters: fewQueries(row.parameters),
        variables: row.mostVariables,
      }))
    : [],
);

/** Opening a loop costs more than its steps here: few cases, of many budgets each. */
const CASES_EACH = 4;
const SCALES = [0, 1e-3, 0.01, 0.03, 0.1, 0.3, 1];
const CLIPS = 2;

const CASES = fc.record({
  exponent: fc.double({ min: -4, max: 0.5, noNaN: true }),
  atTheBox: fc.double({ min: 0, max: 1, noNaN: true }),
  free: fc.double({ min: 0.1, max: 1.5, noNaN: true }),
  bytes: fc.boolean(),
  steps: fc.integer({ min: 1, max: 6 }),
  seed: fc.integer({ min: 0, max: 1e6 }),
});

type Case = typeof CASES extends fc.Arbitrary<infer Drawn> ? Drawn : never;

/** What a case draws for a norm: clips, budgets and masks. */
function drawn({ exponent, atTheBox, free, bytes, seed }: Case, norm: NormName, variables = 2) {
  const size = UNITS[norm] * 10 ** exponent;
  const random = randomNumbers(seed);
  return {
    inputs: linear.clips(CLIPS, atTheBox, seed, bytes),
    budgets: new Map(Object.entries({ waveform: size, frames: 0.7 * size }).slice(0, variables)),
    masks: new Map(
      linear.card.inputs.map((input) => [
        input.name,
        Float32Array.from({ length: elementCount(exampleDims(input)) }, (_, i) => (i === 0 || random() < free ? 1 : 0)),
      ]),
    ),
  };
}

/** The norm of each variable's perturbation in float64, once the point is known to be inside the ranges and the masks. */
function sizesInside(
  point: ReadonlyMap<string, Float32Array>,
  clip: number,
  norm: NormName,
  { inputs, budgets, masks }: ReturnType<typeof drawn>,
): [variable: string, size: number][] {
  return linear.card.inputs.flatMap((input) => {
    if (!budgets.has(input.name)) return [];
    const x = point.get(input.name) ?? new Float32Array();
    const delta = difference(x, cleanRow(inputs.get(input.name), clip, CLIPS));
    const { low, high } = valueRange(input);
    assert.ok(x.length > 0 && x.every((value) => value >= low && value <= high), `${input.name} leaves its range`);
    const mask = masks.get(input.name);
    assert.ok(
      delta.every((value, index) => value === 0 || mask?.[index] === 1),
      `${input.name} crosses its mask`,
    );
    return [[input.name, vectorNorm(norm, delta)]];
  });
}

const LABELS = { labels: [[0], [1, 2]], labelCount: 3 };

for (const { attack, norm, parameters } of BOUNDED) {
  test(`${attack} keeps ${norm} budgets in float64, ranges and masks`, async () => {
    await fc.assert(
      fc.asyncProperty(CASES, async (one) => {
        const batch = drawn(one, norm);
        const rungs = SCALES.map((scale) => [scale, 'never'] as const);
        const { steps, seed } = one;
        const { rows } = await collect(
          linear.victim,
          runOf({
            ...LABELS,
            ...batch,
            ...{ norm, attack, parameters, steps, seed, rungs },
            surrogate: attack === 'transfer' ? 'linear' : '',
          }),
        );
        assert.equal(rows.length, CLIPS * SCALES.length);
        for (const { rung, clip, point } of rows) {
          for (const [name, size] of sizesInside(point, clip, norm, batch)) {
            const epsilon = (SCALES[rung] ?? Number.NaN) * (batch.budgets.get(name) ?? Number.NaN);
            assert.ok(size <= epsilon, `${name}: ${size} exceeds ${epsilon}`);
          }
        }
      }),
      { numRuns: CASES_EACH, seed: 1 },
    );
  });
}

for (const { attack, norm, parameters, variables } of SEARCHES) {
  test(`${attack} tells the ${norm} scale of its points in float64, and keeps ranges, masks and its bound`, async () => {
    await fc.assert(
      fc.asyncProperty(CASES, async (one) => {
        const batch = drawn(one, norm, variables);
        const { steps, seed } = one;
        // About what the goal needs, so that some points lie on either side.
        const maxScale = 0.3 * 10 ** -one.exponent;
        const { found } = await collectSearch(
          linear.victim,
          runOf({ ...LABELS, ...batch, norm, attack, parameters, steps: 5 * steps, seed, rungs: [], maxScale }),
        );
        assert.deepEqual(
          found.map(({ clip }) => clip),
          [0, 1],
        );
        for (const { clip, point, reachedScale, failedScale } of found) {
          if (reachedScale === undefined) continue;
          const sizes = sizesInside(point, clip, norm, batch);
          const scale = Math.max(...sizes.map(([name, size]) => size / (batch.budgets.get(name) ?? Number.NaN)));
          assert.ok(Math.abs(scale - reachedScale) <= 4 * Number.EPSILON * scale, `${scale}, told ${reachedScale}`);
          assert.ok(reachedScale <= maxScale && failedScale <= reachedScale);
        }
      }),
      { numRuns: CASES_EACH, seed: 1 },
    );
  });
}

test('away from the box nearly all of a budget is used', async () => {
  const inputs = linear.clips(1, 0, 8);
  const budgets = new Map([
    ['waveform', 0.02],
    ['frames', 0.01],
  ]);
  for (const norm of ['linf', 'l2', 'l1'] as const) {
    for (const attack of ['pgd', 'apgd', 'fgsm', 'noise']) {
      const run = runOf({ inputs, labels: [[0]], labelCount: 3, norm, budgets, attack, rungs: [[1, 'never']] });
      const { rows } = await collect(linear.victim, run);
      for (const [name, epsilon] of budgets) {
        const x = rows[0]?.point.get(name) ?? new Float32Array();
        const size = vectorNorm(norm, difference(x, floats(inputs.get(name))));
        assert.ok(size > 0.995 * epsilon, `${attack} ${norm} ${name}: ${size} of ${epsilon}`);
      }
    }
  }
});

test('noise of every distribution has the full norm', async () => {
  const inputs = linear.clips(1, 0, 8);
  const budgets = new Map([['waveform', 0.02]]);
  for (const norm of ['linf', 'l2', 'l1'] as const) {
    for (const distribution of ['signs', 'uniform', 'gaussian']) {
      const parameters = { distribution };
      const options = { inputs, labels: [[0]], labelCount: 3, norm, budgets, attack: 'noise', parameters };
      const { rows } = await collect(linear.victim, runOf({ ...options, restarts: 3, rungs: [[1, 'never']] }));
      const x = rows[0]?.point.get('waveform') ?? new Float32Array();
      const size = vectorNorm(norm, difference(x, floats(inputs.get('waveform'))));
      assert.ok(size > 0.995 * 0.02, `${distribution} ${norm}: ${size}`);
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
