import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { decodeModel } from '@faultline/onnx';
import { valueRange } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { criticalScale } from '../testing/linear-optimum.ts';
import { LinearVictim } from '../testing/linear-victim.ts';
import { randomNumbers } from '../testing/random.ts';
import { assess } from './assess.ts';
import { boundaryWalk } from './boundary-walk.ts';
import type { ProbedClips } from './probed-clips.ts';
import { TRAP_FAMILIES, trapVictim } from './traps/index.ts';

const CLIPS = 3;
const DRAWS = 2;
const BUDGETS = { linf: { waveform: 0.3, frames: 0.2 }, l2: { waveform: 6, frames: 4 } } as const;
type Norm = keyof typeof BUDGETS;

describe('masked gradients', async () => {
  const linear = await LinearVictim.create(1);
  after(() => linear[Symbol.asyncDispose]());
  const inputs = linear.clips(CLIPS, 0.4, 2);
  // The label with the highest margin is true.
  const active = Array.from({ length: CLIPS }, (_, clip) =>
    [...linear.margins(inputs, clip).entries()]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 1)
      .map(([label]) => label),
  );
  const count = linear.card.labels.length;
  const targets = new Float32Array(CLIPS * count);
  for (const [clip, labels] of active.entries()) for (const label of labels) targets[clip * count + label] = 1;

  const probed = (norm: Norm): ProbedClips => ({
    inputs,
    targets: { dims: [CLIPS, count], data: targets },
    variables: linear.card.inputs.map((input) => ({
      name: input.name,
      rho: input.name === 'waveform' ? BUDGETS[norm].waveform : BUDGETS[norm].frames,
      ...valueRange(input),
    })),
    norm,
  });
  const optimum = (norm: Norm, clip: number) =>
    criticalScale(linear.problem(inputs, clip, active[clip] ?? [], norm, new Map(Object.entries(BUDGETS[norm]))));

  const { model } = linearVictim({
    waveform: linear.weights.get('waveform') ?? new Float32Array(),
    frames: linear.weights.get('frames') ?? new Float32Array(),
    bias: linear.bias,
    frameDims: [2, 12, 10],
  });
  const setting = { graph: decodeModel(model).graph, card: linear.card };
  const [saturated, quantised, random] = TRAP_FAMILIES.map((family) =>
    Array.from({ length: DRAWS }, (_, draw) => trapVictim(family, setting, randomNumbers(7919 * (draw + 1)))),
  );

  for (const norm of ['linf', 'l2'] as const) {
    test(`a sound victim raises nothing, and the walk along its boundary comes to the optimum: ${norm}`, async () => {
      assert.deepEqual(await assess(linear.victim, probed(norm)), { verdict: 'sound', findings: [] });
      for (const { clip, scale = Number.NaN } of await boundaryWalk(linear.victim, probed(norm))) {
        const best = optimum(norm, clip);
        assert.ok(scale > 0.999 * best && scale < 1.05 * best, `clip ${clip}: ${scale}, optimum ${best}`);
      }
    });

    test(`a saturated output is noticed, and its critical scales are those of the victim: ${norm}`, async () => {
      for (const { masked, drawn } of saturated ?? []) {
        await using victim = await LocalVictim.load(masked);
        const found = await assess(victim, probed(norm));
        assert.deepEqual(
          found.findings.map(({ indicator }) => indicator),
          ['zero-gradient'],
          drawn,
        );
        assert.equal(found.verdict, 'remedied', drawn);
        for (const { clip, scale = Number.NaN } of found.verdict === 'remedied' ? found.found : []) {
          const best = optimum(norm, clip);
          assert.ok(scale > 0.98 * best && scale < 1.1 * best, `${drawn}, clip ${clip}: ${scale}, optimum ${best}`);
        }
      }
    });
  }

  test('a coarse grid before the victim leaves no slope anywhere: the score is withheld', async () => {
    for (const { masked, drawn } of quantised ?? []) {
      await using victim = await LocalVictim.load(masked);
      const found = await assess(victim, probed('linf'));
      assert.equal(found.findings[0]?.indicator, 'zero-gradient', drawn);
      assert.equal(found.verdict, 'withheld', drawn);
      assert.match(
        found.verdict === 'withheld' ? found.reason : '',
        /masked at the decision boundary too: there those of 3 of 3/,
      );
    }
  });

  test('noise that hangs on the input has a slope that leads nowhere: the score is withheld', async () => {
    for (const { masked, drawn } of random ?? []) {
      await using victim = await LocalVictim.load(masked);
      const found = await assess(victim, probed('linf'));
      assert.equal(found.findings[0]?.indicator, 'slope-mismatch', drawn);
      assert.equal(found.verdict, 'withheld', drawn);
    }
  });

  test('a trap and its revealed form are one function', async () => {
    for (const { masked, revealed } of [...(quantised ?? []), ...(random ?? [])]) {
      await using hidden = await LocalVictim.load(masked);
      await using shown = await LocalVictim.load(revealed);
      const [a, b] = [await hidden.predict(inputs), await shown.predict(inputs)];
      for (const [index, logit] of a.logits.data.entries()) {
        assert.ok(Math.abs(logit - (b.logits.data[index] ?? 0)) < 1e-3, `${logit} and ${b.logits.data[index]}`);
      }
    }
  });
});
