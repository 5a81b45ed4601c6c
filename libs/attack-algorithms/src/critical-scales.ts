import { type attack, type DenseTensor, pickRows, sliceRows, type victim } from '@faultline/contracts';
import { perturbationSize } from '@faultline/metrics';
import { budgetMeasure, type Cost, exampleDims, type Tensors, type Victim, verdictTolerance } from '@faultline/victim';
import { cleanRow } from './clean-values.ts';
import { AttackRequestError, Faults } from './faults.ts';
import { deactivatesAll, deactivationMargins } from './fresh-margins.ts';
import type { AttackRun } from './request.ts';
import { type AttackOptions, runAttack } from './run-attack.ts';

/** What an attack came to: by clip the smallest scale whose point a fresh prediction confirmed. */
export interface CriticalScales {
  /** 0: off when clean; infinity: nothing that the attack returned turns it off. Of a ladder one of its scales, of a search the size that was measured. */
  readonly scales: readonly number[];
  /** Work of the attack; fresh predictions are not in it. */
  readonly cost: Cost;
}

/**
 * Attacks the clips that are on when clean, on the ladder of the run or by search, and judges what comes back: sizes are measured anew in float64, and a clip is off
 * when every true label is below its threshold, by the tolerance of verdicts, in a fresh prediction of the final tensors.
 *
 * @throws AttackRequestError for another goal than to deactivate all labels, and for taps; RangeError when a point leaves its budget; and what `runAttack` throws.
 */
export async function criticalScales(
  victim: Victim,
  run: AttackRun,
  options: AttackOptions = {},
): Promise<CriticalScales> {
  const { card, maxExamples } = await victim.describe({ signal: options.signal });
  checkJudged(run.threatModel, card);
  const judged: JudgedRun = { victim, run, card, maxExamples, signal: options.signal };
  const all = run.clipSha256.map((_, clip) => clip);
  const off = await areOff(judged, all, new Map());
  const scales = all.map((clip) => (off[clip] === true ? 0 : Number.POSITIVE_INFINITY));
  const on = all.filter((clip) => off[clip] !== true);
  let cost: Cost = { forwardExamples: 0, gradientExamples: 0 };
  if (on.length === 0) return { scales, cost };
  for await (const event of runAttack(victim, ofClips(run, on), options)) {
    if (event.kind === 'cost') cost = event.cost;
    if (event.kind !== 'result' && event.kind !== 'search') continue;
    const { adversarial } = event.result;
    const clips = event.result.clips.map((row) => on[row] ?? Number.NaN);
    const { rungs, maxScale = Number.POSITIVE_INFINITY } = run.threatModel;
    const limit = event.kind === 'result' ? (rungs[event.result.rung]?.scale ?? Number.NaN) : maxScale;
    const sizes = measuredScales(judged, clips, adversarial, limit);
    const reached = await areOff(judged, clips, adversarial);
    for (const [row, clip] of clips.entries()) {
      const scale = event.kind === 'result' ? limit : sizes[row];
      if (reached[row] === true) scales[clip] = Math.min(scales[clip] ?? Number.NaN, scale ?? Number.NaN);
    }
  }
  return { scales, cost };
}

interface JudgedRun {
  readonly victim: Victim;
  readonly run: AttackRun;
  readonly card: victim.Card;
  readonly maxExamples: number;
  readonly signal: AbortSignal | undefined;
}

function checkJudged(threatModel: attack.ThreatModel, { inputs }: victim.Card): void {
  const faults = new Faults();
  faults.unless(
    deactivatesAll(threatModel),
    'threat_model.goal',
    'is another than to deactivate all labels; leave it out',
  );
  for (const [index, { variable, relative }] of threatModel.variables.entries()) {
    const path = `threat_model.variables[${index}]`;
    faults.unless(
      inputs.some(({ name }) => name === variable),
      `${path}.variable`,
      `'${variable}' is no input; give inputs`,
    );
    faults.unless(!relative, `${path}.relative`, 'is true; give budgets in the unit of the input');
  }
  if (faults.any) throw new AttackRequestError(faults.violations);
}

/** The run on some of its clips. */
const ofClips = (run: AttackRun, clips: readonly number[]): AttackRun => ({
  ...run,
  inputs: new Map(Array.from(run.inputs, ([name, tensor]) => [name, pickRows(tensor, clips)])),
  targets: pickRows(run.targets, clips),
  clipSha256: clips.map((clip) => run.clipSha256[clip] ?? ''),
});

/** Whether fresh predictions say that clips are off. `changed`: one row a clip; all else is clean. */
async function areOff(
  { victim, run, card, maxExamples, signal }: JudgedRun,
  clips: readonly number[],
  changed: Tensors,
): Promise<boolean[]> {
  const off: boolean[] = [];
  for (let from = 0; from < clips.length; from += maxExamples) {
    const rows = clips.slice(from, from + maxExamples);
    const inputs = Array.from(run.inputs, ([name, clean]): [string, DenseTensor] => {
      const tensor = changed.get(name);
      return [name, tensor === undefined ? pickRows(clean, rows) : sliceRows(tensor, from, from + rows.length)];
    });
    const { logits } = await victim.predict(new Map(inputs), { signal });
    const margins = deactivationMargins(logits.data, rows, run.targets, card);
    off.push(...margins.map((margin) => margin <= -verdictTolerance(card)));
  }
  return off;
}

/** max over variables of size / rho, one a row. @throws RangeError beyond the limit. */
function measuredScales(
  { run: { threatModel, inputs }, card }: JudgedRun,
  clips: readonly number[],
  adversarial: Tensors,
  limit: number,
): number[] {
  const attacked = threatModel.variables.map((budget) => {
    const input = card.inputs.find(({ name }) => name === budget.variable);
    if (input === undefined) throw new RangeError(`'${budget.variable}' is no input`);
    const tensor = { name: input.name, dims: exampleDims(input) };
    return { tensor, rho: budget.rho, measure: budgetMeasure(threatModel, budget, input) };
  });
  return clips.map((clip, row) => {
    const scales = attacked.map(({ tensor, rho, measure }) => {
      const point = cleanRow(tensor, row, { inputs: adversarial });
      const size = perturbationSize(point, cleanRow(tensor, clip, { inputs }), measure);
      if (size <= limit * rho) return size / rho;
      const budget = `its budget of ${limit * rho}`;
      throw new RangeError(
        `'${threatModel.attack}' moved '${tensor.name}' of clip ${clip} by ${size}, beyond ${budget}`,
      );
    });
    return Math.max(...scales);
  });
}
