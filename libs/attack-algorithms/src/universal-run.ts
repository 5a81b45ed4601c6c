import { type DenseTensor, elementCount, type TensorElements } from '@faultline/contracts';
import { type LoopBatch, type Victim, type VictimDescription, verdictTolerance } from '@faultline/victim';
import { loopExamples } from './batch-plan.ts';
import { inwardEpsilon, vectorNorm } from './float32-bounds.ts';
import type { AttackRun, CheckedRun } from './request.ts';
import type { UniversalDefinition, UniversalResult } from './universal.ts';
import { UniversalLoop } from './universal-loop.ts';

/** One rung of a universal attack: how many steps it may take, counted by clips, and its loop, anew at each call. */
export interface UniversalRung {
  readonly steps: number;
  newLoop(): UniversalLoop;
  resultOf(loop: UniversalLoop): UniversalResult;
}

/** The rungs of a universal attack: each crafts a perturbation of its own on all clips of the request. */
export function universalRungs(
  victim: Victim,
  run: AttackRun,
  checked: CheckedRun,
  definition: UniversalDefinition,
  { card, maxExamples }: VictimDescription,
  signal: AbortSignal | undefined,
): UniversalRung[] {
  const { variables, norm, goal, parameters } = checked;
  const { rungs, steps, seed } = run.threatModel;
  const thresholds = card.labels.map(({ threshold }) => threshold);
  const attack = definition.plan({ variables, norm, steps, thresholds, logitScale: card.logitScale, goal }, parameters);
  const elements = variables.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  return rungs.map(({ scale }, rung) => ({
    steps: steps * checked.clips,
    newLoop: () =>
      new UniversalLoop({
        victim,
        attack,
        variables: variables.map(({ name }) => name),
        modelSha256: card.sha256,
        budget: new Map(
          variables.map(({ name, dims, rho }) => [
            name,
            inwardEpsilon(norm, scale * rho, { elements: elementCount(dims), norm: 0 }),
          ]),
        ),
        passes: steps,
        batch: loopExamples(elements, maxExamples),
        clipSha256: run.clipSha256,
        seed,
        reachedMargin: -verdictTolerance(card),
        batchOf: (clips) => batchOf(clips, run, checked),
        signal,
      }),
    resultOf: ({ perturbations, reachedByPass }) => ({
      rung,
      perturbations,
      norms: new Map(Array.from(perturbations, ([name, { data }]) => [name, vectorNorm(norm, data)])),
      reachedByPass,
    }),
  }));
}

/** These clips, each an example. */
function batchOf(clips: readonly number[], { inputs }: AttackRun, { targets }: CheckedRun): LoopBatch {
  return {
    exampleClips: clips.map((_, index) => index),
    inputs: new Map(Array.from(inputs, ([name, tensor]) => [name, rowsOf(tensor, clips)])),
    targets: rowsOf(targets, clips),
  };
}

/** Rows of a tensor [rows, ...], in this order. */
function rowsOf<Elements extends TensorElements>(
  { dims, data }: DenseTensor<Elements>,
  rows: readonly number[],
): DenseTensor<Elements> {
  const [, ...each] = dims;
  const size = elementCount(each);
  const taken = data.slice(0, rows.length * size) as Elements;
  for (const [index, row] of rows.entries()) {
    (taken as Float32Array).set(data.subarray(row * size, (row + 1) * size) as Float32Array, index * size);
  }
  return { dims: [rows.length, ...each], data: taken };
}
