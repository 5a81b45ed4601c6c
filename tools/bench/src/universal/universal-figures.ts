import {
  applyUniversal,
  type Perturbations,
  runAttack,
  type UniversalResult,
  universalNoise,
} from '@faultline/attack-algorithms';
import { attack as contract, type DenseTensor, elementCount, sliceRows } from '@faultline/contracts';
import { perturbationNorms, rankingFigures } from '@faultline/metrics';
import { type Victim, verdictTolerance } from '@faultline/victim';
import { type ClipBatch, targetsOf } from '../strength/shipped-clips.ts';

/** Budgets at scale 1 of each variable, in its unit. */
const RHO = { linf: { waveform: 0.001, frames: 0.004 }, l2: { waveform: 0.1, frames: 1 } } as const;
const NORMS = { linf: contract.Norm.NORM_LINF, l2: contract.Norm.NORM_L2 } as const;

/** The forms that are compared: strict on both losses, and the founding study's. */
const FORMS = [
  { name: 'strict, margin', parameters: { form: 'strict', loss: 'margin' } },
  { name: 'strict, bce', parameters: { form: 'strict', loss: 'bce' } },
  { name: 'legacy, bce', parameters: { form: 'legacy', loss: 'bce' } },
] as const;

/** Clips of one prediction. */
const CHUNK = 8;

const SEED = 1;

/** What held-out clips say. */
export interface HeldOut {
  /** Share of the clips that were on when clean whose true labels are all off. */
  readonly success: number;
  readonly meanAveragePrecision: number | null;
  readonly areaUnderCurve: number | null;
  readonly dPrime: number | null;
}

/** Held-out clips with one perturbation; norms in float64 by variable. */
export interface Perturbed {
  readonly name: string;
  readonly nominal: Readonly<Record<string, number>>;
  /** Of the perturbation itself. */
  readonly reached: Readonly<Record<string, number>>;
  /** The largest of what the clips were changed by, after clipping to the ranges. */
  readonly applied: Readonly<Record<string, number>>;
  readonly figures: HeldOut;
}

export interface UniversalFigures {
  /** Held-out clips that were on when clean. */
  readonly on: number;
  readonly clean: HeldOut;
  readonly perturbed: readonly Perturbed[];
}

export interface UniversalOptions {
  readonly norm: 'linf' | 'l2';
  readonly passes: number;
  readonly scale: number;
}

/** Crafts each form on one split and tests it, and noise of the norms that it reached, on the other. */
export async function universalFigures(
  victim: Victim,
  { craft, test }: { readonly craft: ClipBatch; readonly test: ClipBatch },
  { norm, passes, scale }: UniversalOptions,
): Promise<UniversalFigures> {
  const rho = Object.entries(RHO[norm]).filter(([name]) => craft.inputs.has(name));
  const nominal = Object.fromEntries(rho.map(([name, budget]) => [name, scale * budget]));
  const before = await logitsOf(victim, test, test.inputs);
  const off = await offClips(victim, test, before);
  const heldOut = async (logits: Float32Array): Promise<HeldOut> => {
    const now = await offClips(victim, test, logits);
    const standing = off.flatMap((isOff, clip) => (isOff ? [] : [clip]));
    const success = standing.filter((clip) => now[clip]).length / standing.length;
    const labels = logits.length / off.length;
    const { meanAveragePrecision, areaUnderCurve, dPrime } = rankingFigures({
      labels,
      scores: logits,
      targets: targetsOf(test, labels).data,
    });
    return { success, meanAveragePrecision, areaUnderCurve, dPrime };
  };
  const tested = async (name: string, delta: Perturbations): Promise<Perturbed> => {
    const { card } = await victim.describe();
    const moved = applyUniversal(delta, test.inputs, card);
    const sizes = [...delta].map(
      ([variable, { data }]) => [variable, normsOf(data, new Float32Array(data.length))[norm]] as const,
    );
    const applied = [...delta.keys()].map((variable) => [
      variable,
      largestChange(test.inputs.get(variable), moved.get(variable), norm),
    ]);
    const figures = await heldOut(await logitsOf(victim, test, moved));
    return { name, nominal, reached: Object.fromEntries(sizes), applied: Object.fromEntries(applied), figures };
  };
  const perturbed: Perturbed[] = [];
  for (const { name, parameters } of FORMS) {
    const { perturbations } = await crafted(victim, craft, { norm, passes, scale, rho, parameters });
    perturbed.push(await tested(name, perturbations));
    perturbed.push(await tested('equal noise', universalNoise(perturbations, norm, SEED)));
  }
  return { on: off.filter((isOff) => !isOff).length, clean: await heldOut(before), perturbed };
}

async function crafted(
  victim: Victim,
  craft: ClipBatch,
  options: UniversalOptions & {
    readonly rho: readonly (readonly [string, number])[];
    readonly parameters: Readonly<Record<string, string>>;
  },
): Promise<UniversalResult> {
  const { card } = await victim.describe();
  const { norm, passes, scale, rho, parameters } = options;
  const run = {
    threatModel: contract.ThreatModel.fromPartial({
      name: 'universal',
      variables: rho.map(([variable, budget]) => ({ variable, rho: budget })),
      norm: NORMS[norm],
      rungs: [{ scale, stopping: contract.Stopping.STOPPING_NEVER }],
      attack: 'universal',
      steps: passes,
      restarts: 1,
      seed: SEED,
      parameters: Object.entries(parameters).map(([name, value]) => ({ name, value: { $case: 'choice', value } })),
    }),
    modelSha256: card.sha256,
    inputs: craft.inputs,
    targets: targetsOf(craft, card.labels.length),
    clipSha256: craft.sha256,
  };
  for await (const event of runAttack(victim, run)) if (event.kind === 'universal') return event.result;
  throw new Error('the attack returned no perturbation');
}

async function logitsOf(victim: Victim, { labels }: ClipBatch, inputs: ReadonlyMap<string, DenseTensor>) {
  const rows: number[] = [];
  for (let first = 0; first < labels.length; first += CHUNK) {
    const end = Math.min(labels.length, first + CHUNK);
    const chunk = new Map(Array.from(inputs, ([name, tensor]) => [name, sliceRows(tensor, first, end)]));
    rows.push(...(await victim.predict(chunk)).logits.data);
  }
  return Float32Array.from(rows);
}

/** Whether all true labels of each clip are off. */
async function offClips(victim: Victim, { labels }: ClipBatch, logits: Float32Array): Promise<boolean[]> {
  const { card } = await victim.describe();
  const count = card.labels.length;
  return labels.map((active, clip) => {
    const heights = active.map((label) => (logits[clip * count + label] ?? 0) - (card.labels[label]?.threshold ?? 0));
    return Math.max(...heights) <= -verdictTolerance(card);
  });
}

const normsOf = (point: Float32Array, clean: Float32Array) => perturbationNorms(clean, point);

/** The largest norm of a clip's change. */
function largestChange(clean: DenseTensor | undefined, moved: DenseTensor | undefined, norm: 'linf' | 'l2'): number {
  if (clean === undefined || !(moved?.data instanceof Float32Array)) throw new TypeError('a tensor is missing');
  const size = elementCount(clean.dims.slice(1));
  const before =
    clean.data instanceof Uint8Array
      ? Float32Array.from(clean.data, (pixel) => pixel / 255)
      : Float32Array.from(clean.data as Float32Array);
  let largest = 0;
  for (let first = 0; first < before.length; first += size) {
    const row = normsOf(moved.data.subarray(first, first + size), before.subarray(first, first + size));
    largest = Math.max(largest, row[norm]);
  }
  return largest;
}
