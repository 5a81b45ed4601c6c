import { runAttack } from '@faultline/attack-algorithms';
import { attack as contract, type DenseTensor, elementCount } from '@faultline/contracts';
import { perturbationNorms } from '@faultline/metrics';
import { type Victim, verdictTolerance } from '@faultline/victim';
import type { AttackedClips } from './attacked-clips.ts';

/** One attack over a ladder. */
export interface LadderAttack {
  readonly attack: 'pgd' | 'noise';
  /** Radius at scale 1 of each variable that is attacked, L-inf. */
  readonly epsilons: ReadonlyMap<string, number>;
  /** Ascending. */
  readonly scales: readonly number[];
  readonly steps: number;
  readonly restarts: number;
  readonly seed: number;
}

/** The rung of clips that are off when clean. */
export const OFF_WHEN_CLEAN = -1;

/**
 * By clip the smallest rung at which it is off, as a fresh prediction of the final tensors says, whose norms were measured anew:
 * `OFF_WHEN_CLEAN`, or the number of rungs where nothing turned it off.
 * @throws RangeError when an example leaves its budget.
 */
export async function criticalRungs(victim: Victim, clips: AttackedClips, run: LadderAttack): Promise<number[]> {
  const { card } = await victim.describe();
  const all = clips.sha256.map((_, clip) => clip);
  const isOff = await verdicts(victim, clips, all, clips.inputs);
  const smallest = all.map((clip) => (isOff[clip] ? OFF_WHEN_CLEAN : run.scales.length));
  const on = all.filter((clip) => !isOff[clip]);
  if (on.length === 0) return smallest;
  const events = runAttack(victim, {
    threatModel: contract.ThreatModel.fromPartial({
      name: [...run.epsilons.keys()].join('-'),
      variables: Array.from(run.epsilons, ([variable, rho]) => ({ variable, rho })),
      norm: contract.Norm.NORM_LINF,
      rungs: run.scales.map((scale) => ({ scale, stopping: contract.Stopping.STOPPING_EARLY })),
      attack: run.attack,
      steps: run.steps,
      restarts: run.restarts,
      seed: run.seed,
    }),
    modelSha256: card.sha256,
    inputs: new Map(Array.from(clips.inputs, ([name, tensor]) => [name, rowsOf(tensor, on)])),
    targets: rowsOf(clips.targets, on),
    clipSha256: on.map((clip) => clips.sha256[clip] ?? ''),
  });
  for await (const event of events) {
    if (event.kind !== 'result') continue;
    const { rung, adversarial } = event.result;
    const own = event.result.clips.map((row) => on[row] ?? 0);
    checkBudgets(clips, own, adversarial, run, run.scales[rung] ?? 0);
    const found = await verdicts(victim, clips, own, adversarial);
    for (const [row, clip] of own.entries()) {
      if (found[row]) smallest[clip] = Math.min(rung, smallest[clip] ?? rung);
    }
  }
  return smallest;
}

/** Whether clips are off: every true label below its threshold, by the tolerance. `tensors` hold one row a clip; other inputs are clean. */
async function verdicts(
  victim: Victim,
  clips: AttackedClips,
  chosen: readonly number[],
  tensors: ReadonlyMap<string, DenseTensor<Float32Array>>,
): Promise<boolean[]> {
  const { card, maxExamples } = await victim.describe();
  const off: boolean[] = [];
  for (let start = 0; start < chosen.length; start += maxExamples) {
    const rows = chosen.slice(start, start + maxExamples);
    const places = rows.map((_, row) => start + row);
    const inputs = new Map(
      Array.from(clips.inputs, ([name, clean]) => {
        const tensor = tensors.get(name);
        return [name, tensor === undefined ? rowsOf(clean, rows) : rowsOf(tensor, places)];
      }),
    );
    const { logits } = await victim.predict(inputs);
    for (const [row, clip] of rows.entries()) {
      const heights = card.labels.flatMap(({ threshold }, label) => {
        const isTrue = (clips.targets.data[clip * card.labels.length + label] ?? 0) > 0;
        return isTrue ? [(logits.data[row * card.labels.length + label] ?? 0) - threshold] : [];
      });
      off.push(Math.max(...heights) <= -verdictTolerance(card));
    }
  }
  return off;
}

function checkBudgets(
  clips: AttackedClips,
  chosen: readonly number[],
  adversarial: ReadonlyMap<string, DenseTensor<Float32Array>>,
  { attack, epsilons }: LadderAttack,
  scale: number,
): void {
  for (const [name, epsilon] of epsilons) {
    const [tensor, clean] = [adversarial.get(name), clips.inputs.get(name)];
    if (tensor === undefined || clean === undefined) throw new RangeError(`${attack} gave no '${name}'`);
    const { linf } = perturbationNorms(tensor.data, rowsOf(clean, chosen).data);
    if (!(linf <= epsilon * scale)) {
      throw new RangeError(`${attack} moved '${name}' by ${linf}, beyond its budget of ${epsilon * scale}`);
    }
  }
}

/** Some rows of a tensor, in the order given. */
function rowsOf({ dims, data }: DenseTensor<Float32Array>, rows: readonly number[]): DenseTensor<Float32Array> {
  const [, ...each] = dims;
  const size = elementCount(each);
  const chosen = new Float32Array(rows.length * size);
  for (const [at, row] of rows.entries()) chosen.set(data.subarray(row * size, (row + 1) * size), at * size);
  return { dims: [rows.length, ...each], data: chosen };
}
