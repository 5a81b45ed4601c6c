import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { perturbationSize } from '@faultline/metrics';
import { collect, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';

const SAMPLES = 800;
const linear = await LinearVictim.create(31);
after(() => linear[Symbol.asyncDispose]());

const inputs = linear.clips(1, 0, 3);
const margins = linear.margins(inputs, 0);
const label = margins.indexOf(Math.max(...margins));
const EPSILON = 0.5;
const MOST = 4;

/** Margin of a waveform that is heard from `shift` samples on; what left comes in at the other end, or is silent. */
function heard(waveform: Float32Array, shift: number, fill: string): number {
  const moved = waveform.map((_, i) => {
    const from = i + shift;
    if (fill === 'silence' && (from < 0 || from >= SAMPLES)) return 0;
    return waveform[(from + SAMPLES) % SAMPLES] ?? Number.NaN;
  });
  return linear.margins(new Map(inputs).set('waveform', { dims: [1, SAMPLES], data: moved }), 0)[label] ?? Number.NaN;
}

/** Mean margin over every shift, most of which a step has not drawn. */
function meanMargin(waveform: Float32Array, fill: string): number {
  const shifts = Array.from({ length: 2 * MOST + 1 }, (_, i) => i - MOST);
  return shifts.reduce((sum, shift) => sum + heard(waveform, shift, fill), 0) / shifts.length;
}

async function attacked(attack: string, fill: string, shift_share: number): Promise<Float32Array> {
  const { rows } = await collect(
    linear.victim,
    runOf({
      inputs,
      labels: [[label]],
      labelCount: 3,
      norm: 'l2',
      budgets: new Map([['waveform', EPSILON]]),
      rungs: [[1, 'never']],
      attack,
      steps: 40,
      parameters: { shift_share, shift_fill: fill, shift_samples: 8 },
    }),
  );
  return rows[0]?.point.get('waveform') ?? new Float32Array();
}

const CASES = [
  ['pgd', 'circular'],
  ['pgd', 'silence'],
  ['apgd', 'circular'],
] as const;

for (const [attack, fill] of CASES) {
  test(`${attack} over onsets lowers the mean margin over shifts, close to the optimum: ${fill}`, async () => {
    const clean = floats(inputs.get('waveform'));
    const before = meanMargin(clean, fill);
    const [tolerant, plain] = [await attacked(attack, fill, MOST / SAMPLES), await attacked(attack, fill, 0)];
    // The mean over shifts is linear too: its slope is found by what it makes of each sample.
    const slope = Array.from({ length: SAMPLES }, (_, i) =>
      Array.from({ length: 2 * MOST + 1 }, (_, s) => s - MOST).reduce((sum, shift) => {
        const at = i - shift;
        const inside = at >= 0 && at < SAMPLES;
        if (fill === 'silence' && !inside) return sum;
        const weight = linear.weights.get('waveform')?.[((at + SAMPLES) % SAMPLES) * 3 + label] ?? Number.NaN;
        // The ends of the range of onsets are drawn half as often as the others.
        return sum + (weight * (Math.abs(shift) === MOST ? 0.5 : 1)) / (2 * MOST);
      }, 0),
    );
    const best = EPSILON * Math.hypot(...slope);
    const gained = before - meanMargin(tolerant, fill);
    assert.ok(perturbationSize(tolerant, clean, { norm: 'l2' }) <= EPSILON);
    assert.ok(gained > 0.75 * best, `${gained} of ${best}`);
    assert.ok(gained > 1.5 * (before - meanMargin(plain, fill)), `without shifts ${before - meanMargin(plain, fill)}`);
  });
}

test('shifts need sound among the variables', async () => {
  const run = runOf({
    inputs,
    labels: [[label]],
    labelCount: 3,
    norm: 'l2',
    budgets: new Map([['frames', 1]]),
    rungs: [[1, 'never']],
    parameters: { shift_share: 0.1 },
  });
  await assert.rejects(collect(linear.victim, run), /'shift_share' is 0.1, but no variable is sound; leave it out/);
});
