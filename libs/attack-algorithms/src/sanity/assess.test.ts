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
import { clipsInMemory } from './assessed-clips.ts';
import { boundaryWalk } from './boundary-walk.ts';
import type { ProbedClips } from './probed-clips.ts';
import { REMEDIES } from './remedies.ts';
import { TRAP_FAMILIES, trapVictim } from './traps/index.ts';

const CLIPS = 3;
const DRAWS = 2;
/** Of the remedies' walks, where they are not left at their default. */
const STEPS = 20;
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
      assert.deepEqual(await assess(linear.victim, clipsInMemory(probed(norm))), { verdict: 'sound', findings: [] });
      for (const { clip, scale = Number.NaN } of await boundaryWalk(linear.victim, probed(norm))) {
        const best = optimum(norm, clip);
        assert.ok(scale > 0.999 * best && scale < 1.05 * best, `clip ${clip}: ${scale}, optimum ${best}`);
      }
    });

    test(`a saturated output is noticed, and its critical scales are those of the victim: ${norm}`, async () => {
      for (const { masked, drawn } of saturated ?? []) {
        await using victim = await LocalVictim.load(masked);
        const found = await assess(victim, clipsInMemory(probed(norm)));
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

  for (const [about, traps, indicator, remedy] of [
    ['a coarse grid before the victim leaves no slope anywhere', quantised, 'zero-gradient', 'straight-through walk'],
    ['noise that hangs on the input has a slope that leads nowhere', random, 'slope-mismatch', 'expectation walk'],
  ] as const) {
    test(`${about}: a remedy finds what the revealed form shows`, async () => {
      for (const { masked, revealed, drawn } of traps ?? []) {
        await using victim = await LocalVictim.load(masked);
        const assessment = await assess(victim, clipsInMemory(probed('linf')), { steps: STEPS });
        assert.equal(assessment.findings[0]?.indicator, indicator, drawn);
        assert.ok(assessment.verdict === 'remedied', drawn);
        assert.equal(assessment.remedy, remedy, drawn);
        await using shown = await LocalVictim.load(revealed);
        const best = await boundaryWalk(shown, probed('linf'), { steps: 2 * STEPS });
        for (const { clip, scale = Number.NaN } of assessment.found) {
          const ratio = scale / (best[clip]?.scale ?? Number.NaN);
          assert.ok(ratio > 0.9 && ratio < 1.1, `${drawn}, clip ${clip}: ${ratio} of the best known`);
        }
      }
    });
  }

  test('what no remedy gets around is withheld, and the reason tells what was tried', async () => {
    const [{ masked, drawn } = assert.fail('no trap was set')] = quantised ?? [];
    await using victim = await LocalVictim.load(masked);
    const [walk] = REMEDIES;
    const assessment = await assess(victim, clipsInMemory(probed('linf')), {
      remedies: walk === undefined ? [] : [walk],
    });
    assert.ok(assessment.verdict === 'withheld', drawn);
    assert.match(
      assessment.reason,
      /the gradient is 0.*boundary walk: at the decision boundary those of 3 of 3 clips are 0/,
    );
    const hopeless = await assess(victim, clipsInMemory(probed('linf')), { remedies: [] });
    assert.match(hopeless.verdict === 'withheld' ? hopeless.reason : '', /no remedy is known for such budgets/);
  });

  test('evidence of the attack alone is enough', async () => {
    const evidence = Array.from({ length: CLIPS }, () => ({ scales: { attack: 2, transfer: 1 } }));
    const { findings } = await assess(linear.victim, clipsInMemory(probed('linf')), {
      evidence,
      probed: 0,
      steps: STEPS,
    });
    assert.deepEqual(
      findings.map(({ indicator, clips }) => [indicator, clips]),
      [['no-transfer', CLIPS]],
    );
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
