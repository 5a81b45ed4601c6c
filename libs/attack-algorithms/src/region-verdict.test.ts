import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import { leavesRegion } from './region-verdict.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';

const linear = await LinearVictim.create(11);
after(() => linear[Symbol.asyncDispose]());
const inputs = linear.clips(1, 0, 3);
const region = (fields: Parameters<typeof attack.Region.fromPartial>[0]) => attack.Region.fromPartial(fields);
const inputOf = (name: string) => {
  const input = linear.card.inputs.find((one) => one.name === name);
  assert.ok(input !== undefined);
  return input;
};

/** What PGD makes of a variable in a region. */
async function attacked(name: string, where: attack.Region, rho: number): Promise<Float32Array> {
  const options: RunOptions = {
    inputs,
    labels: [[0]],
    labelCount: 3,
    norm: 'l2',
    budgets: new Map([[name, rho]]),
    rungs: [[1, 'never']],
    regions: new Map([[name, where]]),
  };
  const { rows } = await collect(linear.victim, runOf(options));
  return rows[0]?.point.get(name) ?? new Float32Array();
}

for (const [name, where] of [
  ['frames', region({ boxes: [{ left: 0, top: 0, right: 0.5, bottom: 1 }] })],
  ['waveform', region({ windows: [{ startSeconds: 0.01, endSeconds: 0.02 }] })],
  ['waveform', region({ bands: [{ lowHz: 500, highHz: 2_000 }] })],
] as const) {
  test(`what an attack does in a region stays there, and the same elsewhere is seen: ${name}, ${JSON.stringify(where)}`, async () => {
    const clean = floats(inputs.get(name));
    const point = await attacked(name, where, 0.05);
    assert.ok(point.some((value, index) => value !== clean[index]));
    assert.equal(leavesRegion(where, inputOf(name), point, clean), false);
    const free = await attacked(name, region({ frames: name === 'frames' ? [0, 1] : [] }), 0.05);
    assert.equal(leavesRegion(where, inputOf(name), free, clean), true);
    // Half of a perturbation inside, half of one that is everywhere.
    const mixed = point.map((value, index) => (value + (free[index] ?? 0)) / 2);
    assert.equal(leavesRegion(where, inputOf(name), mixed, clean), true);
  });
}

test('a band in a window reaches no sample beyond it', async () => {
  const where = region({ bands: [{ lowHz: 500, highHz: 2_000 }], windows: [{ startSeconds: 0, endSeconds: 0.033 }] });
  const clean = floats(inputs.get('waveform'));
  const point = await attacked('waveform', where, 0.05);
  assert.equal(leavesRegion(where, inputOf('waveform'), point, clean), false);
  const last = point.length - 1;
  const touched = point.map((value, index) => (index === last ? value + 1e-3 : value));
  assert.equal(leavesRegion(where, inputOf('waveform'), touched, clean), true);
});
