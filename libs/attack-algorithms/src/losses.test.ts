import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { attack, type DenseTensor, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { LocalVictim } from '@faultline/victim-local';
import { AttackRequestError } from './faults.ts';
import { type Loss, lossFault } from './losses.ts';
import { collect, runOf } from './testing/attack-run.ts';
import { normal, randomNumbers } from './testing/random.ts';

const SAMPLES = 40;
const NAMES = ['dog', 'bird', 'horse', 'rain', 'sea'];

/** A victim of so many labels: z = W x + 1, one waveform of 40 samples. */
async function linearLabels(labels: number): Promise<LocalVictim> {
  const random = randomNumbers(labels);
  const weights = Float32Array.from({ length: SAMPLES * labels }, () => 0.5 * normal(random));
  const b = new GraphBuilder();
  const product = b.matmul(b.input('waveform', ['batch', SAMPLES]), b.constant(float32(weights, [SAMPLES, labels])));
  b.output(b.plus(product, b.scalar(1)), ['batch', labels], 'float32', 'logits');
  const model = encodeModel(b.model('labels'));
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: `labels-${labels}`,
    model: 'model.onnx',
    sha256: createHash('sha256').update(model).digest('hex'),
    inputs: [{ name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 8000, samples: SAMPLES } } }],
    logits: 'logits',
    labels: NAMES.slice(0, labels).map((label) => ({ label, threshold: 0 })),
    logitScale: 1,
  });
  return LocalVictim.load({ model, card });
}

const TARGETED = attack.Goal.fromPartial({ kind: attack.GoalKind.GOAL_KIND_TARGETED, label: 'bird' });

const TOP_ONE = attack.Goal.fromPartial({ kind: attack.GoalKind.GOAL_KIND_TOP_K, k: 1 });

/** The losses that serve so many labels, those that are refused there, and those that lead towards a label. */
const CASES: readonly {
  readonly labels: number;
  readonly serve: readonly Loss[];
  readonly refused: readonly Loss[];
  readonly targeted: readonly Loss[];
}[] = [
  { labels: 1, serve: ['margin', 'bce'], refused: ['ce', 'dlr', 'dlr_original'], targeted: [] },
  { labels: 2, serve: ['margin', 'bce', 'ce', 'dlr'], refused: ['dlr_original'], targeted: ['margin', 'ce'] },
  {
    labels: 3,
    serve: ['margin', 'bce', 'ce', 'dlr', 'dlr_original'],
    refused: ['dlr_targeted'],
    targeted: ['margin', 'ce', 'dlr'],
  },
  {
    labels: 5,
    serve: ['margin', 'bce', 'ce', 'dlr', 'dlr_original'],
    refused: [],
    targeted: ['margin', 'ce', 'dlr', 'dlr_targeted'],
  },
];

/** Losses that compare labels with each other lead to another order of them, not below their thresholds; the mean over labels to some of them. */
function goalOf(loss: Loss): attack.Goal | undefined {
  if (loss === 'bce') return attack.Goal.fromPartial({ kind: attack.GoalKind.GOAL_KIND_DEACTIVATE_ONE });
  return loss === 'ce' || loss === 'dlr_original' ? TOP_ONE : undefined;
}

for (const { labels, serve, refused, targeted } of CASES) {
  test(`${labels} label(s): losses that serve lead to the goal, the others are refused with what to use instead`, async () => {
    await using local = await linearLabels(labels);
    const waveform: DenseTensor = { dims: [2, SAMPLES], data: new Float32Array(2 * SAMPLES).fill(0.1) };
    // The second clip has two true labels where a false one is left; for the cross-entropy of all labels every one is true.
    const trueLabels = (loss: Loss | undefined) =>
      loss === 'bce' ? [[...Array(labels).keys()], [...Array(labels).keys()]] : [[0], labels > 2 ? [0, 2] : [0]];
    const lowest = async (algorithm: string, goal: attack.Goal | undefined, loss?: Loss) => {
      const run = runOf({
        inputs: new Map([['waveform', waveform]]),
        labels: trueLabels(loss),
        labelCount: labels,
        norm: 'linf',
        budgets: new Map([['waveform', 0.5]]),
        rungs: [[1, 'never']],
        steps: 12,
        attack: algorithm,
        parameters: loss === undefined ? {} : { loss },
        goal,
      });
      return (await collect(local, run)).rows.map(({ margin }) => margin);
    };
    for (const loss of serve) {
      for (const algorithm of ['pgd', 'apgd']) {
        const margins = await lowest(algorithm, goalOf(loss), loss);
        assert.ok(
          margins.every((margin) => margin < 0),
          `${algorithm} ${loss}: ${margins}`,
        );
      }
    }
    const margins = await lowest('ensemble', undefined);
    assert.ok(
      margins.every((margin) => margin < 0),
      `ensemble: ${margins}`,
    );
    for (const loss of targeted) {
      const reached = await lowest('apgd', TARGETED, loss);
      assert.ok(
        reached.every((margin) => margin < 0),
        `towards a label, ${loss}: ${reached}`,
      );
    }
    for (const loss of refused) {
      const goal = loss === 'dlr_targeted' ? TARGETED : undefined;
      await assert.rejects(lowest('apgd', goal, loss), (error) => {
        assert.ok(error instanceof AttackRequestError);
        return /needs \d labels where the victim has \d; use margin/.test(error.message);
      });
    }
  });
}

test('losses that say nothing about a goal are refused with what to use instead', () => {
  const targeted = { kind: 'targeted', label: 0 } as const;
  assert.match(lossFault('dlr', 2, targeted) ?? '', /is the same wherever two labels stand; use margin/);
  assert.equal(lossFault('dlr', 2), undefined);
  assert.equal(lossFault('dlr', 3, targeted), undefined);
  assert.match(lossFault('dlr_targeted', 5) ?? '', /needs the goal 'targeted'; use dlr/);
  assert.match(lossFault('dlr_original', 5, targeted) ?? '', /moves away from the true labels and not towards one/);
});
