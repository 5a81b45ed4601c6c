import type { CostReport } from '@faultline/report';
import { cut, predictRows } from './batches.ts';
import type { Services } from './services.ts';
import { batchInputs, type ClipInputs } from './tensor-rows.ts';
import type { VictimUnderTest } from './victim-under-test.ts';

/** Adds up evaluations. */
export function addCosts(a: CostReport, b: CostReport): CostReport {
  return {
    forwardExamples: a.forwardExamples + b.forwardExamples,
    gradientExamples: a.gradientExamples + b.gradientExamples,
  };
}

export const NO_COST: CostReport = { forwardExamples: 0, gradientExamples: 0 };

/** Fresh logits of these points, inputs and values of taps, one row each, in micro-batches of a fixed plan (batch sizes move the last bits). */
export async function predictClips(
  services: Services,
  victim: VictimUnderTest,
  points: readonly ClipInputs[],
  signal: AbortSignal,
): Promise<{ readonly logits: readonly Float32Array[]; readonly cost: CostReport }> {
  const names = victim.card.inputs.map((input) => input.name);
  const logits: Float32Array[] = [];
  let cost = NO_COST;
  for (const batch of cut(points, predictRows(victim))) {
    const tapValues = batchInputs(
      batch,
      [...(batch[0]?.keys() ?? [])].filter((name) => !names.includes(name)),
    );
    const fresh = await services.predict(
      victim,
      { inputs: batchInputs(batch, names), tapValues },
      batch.length,
      signal,
    );
    logits.push(...fresh.logits);
    cost = addCosts(cost, fresh.cost);
  }
  return { logits, cost };
}
