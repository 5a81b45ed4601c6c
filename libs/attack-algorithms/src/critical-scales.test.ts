import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import type { Loop, Tensors, Victim } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { criticalScales } from './critical-scales.ts';
import { runOf } from './testing/attack-run.ts';

const [SAMPLES, SIDE] = [40, 4];
const PIXELS = 3 * SIDE * SIDE;
const WEIGHT = 0.1;
const BYTE = 128;

/** One label: z = 0.1 x the sum of all samples and pixels, at thresholds 0.05 below what silent grey pictures give. */
const { model, card } = linearVictim({
  waveform: new Float32Array(SAMPLES).fill(WEIGHT),
  frames: new Float32Array(PIXELS).fill(WEIGHT),
  bias: Float32Array.of(0),
  frameDims: [1, SIDE, SIDE],
});
const threshold = (WEIGHT * BYTE * PIXELS) / 255 - 0.05;
const labels = card.labels.slice(0, 1).map(({ label }) => ({ label, threshold }));
const victim: Victim = await LocalVictim.load({ model, card: { ...card, labels, logitScale: 1 } });
after(() => victim[Symbol.asyncDispose]());

/** Margins of the clean clips: 0.05, 0.35 and, off, -0.15. */
const MARGINS = [0.05, 0.35, -0.15];
const inputs: Tensors = new Map([
  [
    'waveform',
    {
      dims: [MARGINS.length, SAMPLES],
      data: Float32Array.from(MARGINS.flatMap((margin) => Array(SAMPLES).fill((margin - 0.05) / WEIGHT / SAMPLES))),
    },
  ],
  ['frames', { dims: [MARGINS.length, 1, 3, SIDE, SIDE], data: new Uint8Array(MARGINS.length * PIXELS).fill(BYTE) }],
]);
const RHO = 0.01;
const asked = {
  inputs,
  labels: MARGINS.map(() => [0]),
  labelCount: 1,
  norm: 'linf',
  budgets: new Map([['waveform', RHO]]),
  rungs: [],
  steps: 8,
} as const;
/** What L-inf noise of size 1 lowers the margin by at most. */
const FALL = WEIGHT * SAMPLES;

test('on a ladder a clip counts at the smallest rung that suffices, at 0 when it is off already, at infinity where nothing does', async () => {
  const rungs = ([1, 2, 10] as const).map((scale) => [scale, 'early'] as const);
  // 0.04 of margin at scale 1, 0.08 at scale 2, 0.4 at scale 10.
  assert.deepEqual((await criticalScales(victim, runOf({ ...asked, rungs }))).scales, [2, 10, 0]);
  const { scales, cost } = await criticalScales(victim, runOf({ ...asked, rungs: [[2, 'never']] }));
  assert.deepEqual(scales, [2, Number.POSITIVE_INFINITY, 0]);
  assert.equal(cost.gradientExamples, 8 * 2, 'the clip that is off is not attacked');
});

test('a search counts at what its points measure: the optimum of a linear victim', async () => {
  const { scales } = await criticalScales(victim, runOf({ ...asked, attack: 'fmn', steps: 60 }));
  for (const [clip, margin] of MARGINS.entries()) {
    const optimum = Math.max(0, margin) / FALL / RHO;
    const found = scales[clip] ?? Number.NaN;
    assert.ok(found >= optimum && found <= 1.02 * optimum, `clip ${clip}: ${found}, optimum ${optimum}`);
  }
});

test('pixels as bytes are attacked as the victim sees them', async () => {
  const budgets = new Map([['frames', RHO]]);
  const { scales } = await criticalScales(victim, runOf({ ...asked, budgets, rungs: [[2, 'early']] }));
  // 0.1 x 48 x 0.02 = 0.096 of margin.
  assert.deepEqual(scales, [2, Number.POSITIVE_INFINITY, 0]);
});

/** The victim, whose loops return points three times as far from 0. */
const exaggerating: Victim = {
  describe: (options) => victim.describe(options),
  predict: (points, options) => victim.predict(points, options),
  differentiate: (request, options) => victim.differentiate(request, options),
  open: async (plan, parameters, options) => exaggeratingLoop(await victim.open(plan, parameters, options)),
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

const exaggeratingLoop = (loop: Loop): Loop => ({
  examples: loop.examples,
  step: (options) => loop.step(options),
  keep: (examples) => loop.keep(examples),
  restart: (parameters) => loop.restart(parameters),
  rebatch: (batch) => loop.rebatch(batch),
  fetch: async (slots, examples) => {
    const fetched = await loop.fetch(slots, examples);
    return new Map(
      Array.from(fetched, ([name, { dims, data }]) => [
        name,
        { dims, data: data instanceof Float32Array ? data.map((x) => 3 * x) : data },
      ]),
    );
  },
  [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
});

test('a point beyond its budget is refused, and so is what cannot be judged here', async () => {
  const run = runOf({ ...asked, rungs: [[10, 'early']] });
  await assert.rejects(
    criticalScales(exaggerating, run),
    /'pgd' moved 'waveform' of clip 0 by 0\.\d+, beyond its budget/,
  );
  const goal = attack.Goal.fromPartial({ kind: attack.GoalKind.GOAL_KIND_TOP_K, k: 1 });
  await assert.rejects(criticalScales(victim, runOf({ ...asked, rungs: [[1, 'early']], goal })), /threat_model\.goal/);
});
