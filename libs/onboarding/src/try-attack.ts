import { createHash } from 'node:crypto';
import { runAttack } from '@faultline/attack-algorithms';
import { attack } from '@faultline/contracts';
import { LocalVictim } from '@faultline/victim-local';
import { sampleInputs } from './sample-inputs.ts';

/** What a short attack did to made-up examples. */
export interface TriedAttack {
  /** Inputs that were changed, all at once. */
  readonly variables: readonly string[];
  readonly steps: number;
  /** Mean over examples of the logit of their strongest label, before and after; both by fresh predictions. */
  readonly before: number;
  readonly after: number;
}

const EXAMPLES = 2;
const STEPS = 8;
/** Large enough to show on any model: amplitude of sound, share of the range of pixels. */
const BUDGET = 0.02;

function strongest(row: Float32Array): number {
  return row.reduce((best, value, label) => (value > (row[best] ?? Number.NEGATIVE_INFINITY) ? label : best), 0);
}

/**
 * Attacks a victim's folder with a few steps of PGD on all its inputs, to see whether its gradients are of use.
 * @throws CardError, OnnxError when it cannot be loaded; AttackRequestError when it has no gradients.
 */
export async function tryAttack(folder: string): Promise<TriedAttack> {
  await using victim = await LocalVictim.fromFolder(folder);
  const { card } = await victim.describe();
  const inputs = sampleInputs(card.inputs, EXAMPLES);
  const width = card.labels.length;
  const clean = (await victim.predict(inputs)).logits.data;
  const labels = Array.from({ length: EXAMPLES }, (_, row) =>
    strongest(clean.subarray(row * width, (row + 1) * width)),
  );
  const targets = new Float32Array(EXAMPLES * width);
  for (const [row, label] of labels.entries()) targets[row * width + label] = 1;
  const variables = card.inputs.map(({ name }) => name);
  const threatModel = attack.ThreatModel.fromPartial({
    name: 'short',
    variables: variables.map((variable) => ({ variable, rho: BUDGET })),
    norm: attack.Norm.NORM_LINF,
    rungs: [{ scale: 1, stopping: attack.Stopping.STOPPING_NEVER }],
    attack: 'pgd',
    steps: STEPS,
    restarts: 1,
    seed: 1,
  });
  const clipSha256 = labels.map((_, row) => createHash('sha256').update(`made-up ${row}`).digest('hex'));
  const meanOf = (logits: Float32Array) =>
    labels.reduce((sum, label, row) => sum + (logits[row * width + label] ?? Number.NaN) / EXAMPLES, 0);
  let after = Number.NaN;
  const run = { threatModel, modelSha256: '', inputs, targets: { dims: [EXAMPLES, width], data: targets }, clipSha256 };
  for await (const event of runAttack(victim, run)) {
    if (event.kind === 'result') after = meanOf((await victim.predict(event.result.adversarial)).logits.data);
  }
  return { variables, steps: STEPS, before: meanOf(clean), after };
}
