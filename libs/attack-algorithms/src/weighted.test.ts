import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack, type DenseTensor } from '@faultline/contracts';
import {
  type BudgetMeasure,
  coefficientWeights,
  hopOf,
  lappedCoefficients,
  perturbationSize,
} from '@faultline/metrics';
import fc from 'fast-check';
import { AttackRequestError } from './faults.ts';
import { runAttack } from './run-attack.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';

const SAMPLE_RATE_HZ = 16_000;
const SAMPLES = 800;
const HOP = hopOf(SAMPLE_RATE_HZ);
const { WEIGHTING_LOUDNESS, WEIGHTING_MASKING } = attack.Weighting;
const { NORM_LINF, NORM_L2 } = attack.Norm;
const WEIGHTINGS = { loudness: WEIGHTING_LOUDNESS, masking: WEIGHTING_MASKING } as const;
const NORMS = { linf: NORM_LINF, l2: NORM_L2 } as const;

const linear = await LinearVictim.create(21);
after(() => linear[Symbol.asyncDispose]());

/** Clips half as loud as the range allows. */
function quietClips(seed: number): Map<string, DenseTensor> {
  return new Map(
    Array.from(linear.clips(1, 0, seed), ([name, tensor]) => [
      name,
      { dims: tensor.dims, data: floats(tensor).map((value) => 0.5 * value) },
    ]),
  );
}

type Kind = keyof typeof WEIGHTINGS;
type Norm = keyof typeof NORMS;
const measureOf = (kind: Kind, norm: Norm): BudgetMeasure => ({
  norm,
  weighting: { kind, sampleRateHz: SAMPLE_RATE_HZ },
});

const options = (inputs: ReadonlyMap<string, DenseTensor>, kind: Kind, norm: Norm, rho: number): RunOptions => ({
  inputs,
  labels: [[0]],
  labelCount: 3,
  norm,
  budgets: new Map([['waveform', rho]]),
  own: new Map([['waveform', { weighting: WEIGHTINGS[kind] }]]),
  rungs: [[1, 'never']],
  steps: 25,
});

/** What a budget of 1 takes off the margin of a label at most, in closed form: the dual norm of the weights of the victim, over free atoms. */
function slope(
  inputs: ReadonlyMap<string, DenseTensor>,
  kind: Kind,
  norm: Norm,
  { label = 0, isFree = () => true }: { label?: number; isFree?: (bin: number) => boolean } = {},
) {
  const weights = Float64Array.from(
    { length: SAMPLES },
    (_, i) => linear.weights.get('waveform')?.[i * 3 + label] ?? Number.NaN,
  );
  const sizes = coefficientWeights({ kind, sampleRateHz: SAMPLE_RATE_HZ }, floats(inputs.get('waveform')));
  let [sum, squares] = [0, 0];
  // Positions 1 and 2 stand wholly inside 800 samples.
  for (const [index, coefficient] of lappedCoefficients(weights, HOP).entries()) {
    if (index < HOP || index >= 3 * HOP || !isFree(index % HOP)) continue;
    const share = Math.abs(coefficient) / (sizes[index] ?? Number.NaN);
    sum += share;
    squares += share * share;
  }
  return norm === 'linf' ? sum : Math.sqrt(squares);
}

/** Budgets that leave these clips inside their range. */
const UNITS = { loudness: { linf: 0.02, l2: 0.5 }, masking: { linf: 0.5, l2: 10 } } as const;

for (const kind of ['loudness', 'masking'] as const) {
  for (const norm of ['linf', 'l2'] as const) {
    test(`attacks reach the optimum of ${norm} budgets weighted by ${kind}; noise has the full size`, async () => {
      const inputs = quietClips(5);
      const clean = floats(inputs.get('waveform'));
      const rho = UNITS[kind][norm];
      const [before = Number.NaN] = linear.margins(inputs, 0);
      const best = rho * slope(inputs, kind, norm);
      const tolerances = { pgd: 0.01, apgd: 0.01, fgsm: 0.01, 'mi-fgsm': 0.02 };
      for (const [algorithm, tolerance] of Object.entries(tolerances)) {
        const { rows } = await collect(
          linear.victim,
          runOf({ ...options(inputs, kind, norm, rho), attack: algorithm }),
        );
        const share = (before - (rows[0]?.margin ?? Number.NaN)) / best;
        assert.ok(share > 1 - tolerance && share < 1.001, `${algorithm}: ${share} of the optimum`);
      }
      const noise = await collect(linear.victim, runOf({ ...options(inputs, kind, norm, rho), attack: 'noise' }));
      const size = perturbationSize(noise.rows[0]?.point.get('waveform') ?? clean, clean, measureOf(kind, norm));
      assert.ok(size > 0.99 * rho && size <= rho, `noise: ${size} of ${rho}`);
    });
  }
}

test('weighted coefficients keep to bands', async () => {
  const inputs = quietClips(6);
  const base = options(inputs, 'loudness', 'l2', 0.3);
  const region = { bands: [{ lowHz: 1000, highHz: 3000 }] };
  const own = new Map([['waveform', { weighting: WEIGHTING_LOUDNESS, region }]]);
  const { rows } = await collect(linear.victim, runOf({ ...base, own }));
  const [before = Number.NaN] = linear.margins(inputs, 0);
  const isFree = (bin: number) => bin >= 32 && bin < 96;
  const share = (before - (rows[0]?.margin ?? Number.NaN)) / (0.3 * slope(inputs, 'loudness', 'l2', { isFree }));
  assert.ok(share > 0.99 && share < 1.001, `${share} of the optimum`);
  const clean = floats(inputs.get('waveform'));
  const delta = Float64Array.from(rows[0]?.point.get('waveform') ?? [], (value, i) => value - (clean[i] ?? 0));
  const outside = lappedCoefficients(delta, HOP).filter((_, index) => !isFree(index % HOP));
  assert.ok(Math.max(...outside.map(Math.abs)) < 1e-5);
});

test('weighted budgets are never exceeded in float64, nor ranges, where the clip is at the box too', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        kind: fc.constantFrom<Kind>('loudness', 'masking'),
        norm: fc.constantFrom<Norm>('linf', 'l2'),
        algorithm: fc.constantFrom('pgd', 'apgd', 'fgsm', 'mi-fgsm', 'noise'),
        exponent: fc.double({ min: -2, max: 1, noNaN: true }),
        atTheBox: fc.constantFrom(0, 0.3, 1),
        seed: fc.integer({ min: 0, max: 1e6 }),
      }),
      async ({ kind, norm, algorithm, exponent, atTheBox, seed }) => {
        const inputs = linear.clips(1, atTheBox, seed);
        const rho = UNITS[kind][norm] * 10 ** exponent;
        const { rows } = await collect(
          linear.victim,
          runOf({ ...options(inputs, kind, norm, rho), attack: algorithm, steps: 3 }),
        );
        const [x, clean] = [rows[0]?.point.get('waveform') ?? new Float32Array(), floats(inputs.get('waveform'))];
        const size = perturbationSize(x, clean, measureOf(kind, norm));
        assert.ok(size <= rho, `${size} exceeds ${rho}`);
        assert.ok(x.every((value) => value >= -1 && value <= 1));
      },
    ),
    { numRuns: 30, seed: 1 },
  );
});

test('a bisection needs a bound, and finds the critical scale', async () => {
  const inputs = quietClips(5);
  const margins = linear.margins(inputs, 0);
  const before = Math.max(...margins);
  const label = margins.indexOf(before);
  const search = { ...options(inputs, 'loudness', 'l2', 1), labels: [[label]], rungs: [], maxScale: 4 };
  const critical = before / slope(inputs, 'loudness', 'l2', { label });
  assert.ok(critical > 0.01 && critical < 4, `${critical}`);
  let found = Number.NaN;
  for await (const event of runAttack(linear.victim, runOf(search))) {
    if (event.kind === 'search') found = event.result.scales[0] ?? Number.NaN;
  }
  assert.ok(found > 0.999 * critical && found < 1.02 * critical, `${found} of ${critical}`);
  const unbounded = runOf({ ...search, maxScale: undefined });
  await assert.rejects(
    collect(linear.victim, unbounded),
    /weighting: has no largest size; give a ladder, or max_scale/,
  );
});

for (const [what, variable, own, path, message] of [
  ['pictures', 'frames', { weighting: WEIGHTING_LOUDNESS }, 'weighting', /'frames' is no waveform/],
  ['L1', 'waveform', { weighting: WEIGHTING_MASKING, norm: attack.Norm.NORM_L1 }, 'weighting', /comes with l1/],
  ['frames', 'waveform', { weighting: WEIGHTING_MASKING, frames: { seconds: 0.01 } }, 'weighting', /l2 and frames/],
  [
    'a window without room',
    'waveform',
    { weighting: WEIGHTING_LOUDNESS, region: { windows: [{ endSeconds: 0.01 }] } },
    'region',
    /need 0.032 s and bands of 31.25 Hz/,
  ],
] as const) {
  test(`weights of ${what} are refused, naming the field`, async () => {
    const run = runOf({
      ...options(quietClips(1), 'loudness', 'l2', 1),
      budgets: new Map([[variable, 1]]),
      own: new Map([[variable, own as Parameters<typeof attack.VariableBudget.fromPartial>[0]]]),
    });
    await assert.rejects(collect(linear.victim, run), (error) => {
      assert.ok(error instanceof AttackRequestError);
      const violation = error.violations.find(({ field }) => field === `threat_model.variables[0].${path}`);
      assert.match(violation?.description ?? error.message, message);
      return true;
    });
  });
}
