import { applyUniversal, leavesRegion, type Perturbations, universalNoise } from '@faultline/attack-algorithms';
import type { attack, DenseTensor } from '@faultline/contracts';
import { bootstrapInterval, perturbationNorms, rankingFigures } from '@faultline/metrics';
import type { CostReport, UniversalFigures, UniversalResult, UniversalRung } from '@faultline/report';
import { goalMargin, goalReport } from '../judge/goal.ts';
import { normName } from '../judge/names.ts';
import { variableReports } from '../judge/threat-model-result.ts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { addCosts, predictClips } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { type ClipInputs, toFloat32 } from '../peers/tensor-rows.ts';
import { isReached, targetsOf, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { withSpan } from '../spans.ts';
import { type Crafted, craft } from './craft.ts';
import type { PlannedUniversal } from './planned-universal.ts';

/** A clip with its name in results, and the independence groups of its sources. */
export interface GroupedClip extends AttackedClip {
  readonly id: string;
  readonly groups: readonly string[];
}

export interface UniversalSetting {
  readonly services: Services;
  readonly signal: AbortSignal;
  /** Share of the crafting that is done, in [0, 1]. */
  readonly onProgress: (share: number) => void;
  /** Keeps the perturbation of a rung that counts; undefined: none is kept. */
  readonly keep: ((perturbations: Perturbations, rung: number) => Promise<UniversalRung['perturbation']>) | undefined;
}

/** Norms in which universal perturbations have budgets. */
type UniversalNorm = 'linf' | 'l2';

/** What the perturbations of one victim and threat model are judged by. */
interface Judged {
  readonly setting: UniversalSetting;
  readonly victim: VictimUnderTest;
  readonly model: attack.ThreatModel;
  readonly norm: UniversalNorm;
  /** Test clips, their values as the victim computes with them. */
  readonly tested: readonly (GroupedClip & { readonly clean: ClipInputs })[];
  /** Whether they have the goal when clean. */
  readonly off: readonly boolean[];
}

/**
 * Crafts a perturbation for each budget on one part of the clips, and says what fresh predictions of the unchanged victim make of it on the other part.
 * @param clips in any order; `planned.split` refers to their positions.
 * @throws FaultlineError naming victim and service when either fails.
 */
export async function universalPhase(
  setting: UniversalSetting,
  victim: VictimUnderTest,
  { model, split, form }: PlannedUniversal,
  clips: readonly GroupedClip[],
): Promise<UniversalResult> {
  const { services, signal, onProgress } = setting;
  const at = (indices: readonly number[]) => indices.flatMap((index) => clips[index] ?? []);
  const [crafting, testing] = [at(split.craft), at(split.test)];
  const name = normName(model.norm);
  if (name !== 'linf' && name !== 'l2') throw new RangeError(`no universal perturbation has a budget in ${name}`);
  const crafted = await craft(services, victim, model, crafting, onProgress, signal);
  return withSpan('score.verify', { 'faultline.candidates': testing.length * 2 * model.rungs.length }, async () => {
    const tested = testing.map((clip) => ({ ...clip, clean: floats(clip.inputs) }));
    const before = await predictClips(
      services,
      victim,
      tested.map(({ clean }) => clean),
      signal,
    );
    const off = before.logits.map((row, index) => hasGoal(victim, model, row, tested[index]?.labels ?? []));
    const judged: Judged = { setting, victim, model, norm: name, tested, off };
    const rungs: UniversalRung[] = [];
    let verification = before.cost;
    for (const [index, one] of crafted.rungs.entries()) {
      const { rung, cost } = await judgeRung(judged, one, index, form);
      rungs.push(rung);
      verification = addCosts(verification, cost);
    }
    return {
      threatModel: model.name,
      norm: name,
      goal: goalReport(model.goal),
      form,
      variables: variableReports(model, victim),
      crafted: crafting.map(({ id }) => id),
      tested: testing.map(({ id }) => id),
      leftOut: split.leftOut.length,
      clean: figures(judged, before.logits),
      rungs,
      cost: { attack: crafted.cost, verification },
    };
  });
}

const floats = (inputs: ClipInputs): ClipInputs =>
  new Map(Array.from(inputs, ([name, { dims, data }]) => [name, { dims, data: toFloat32(data) }]));

const hasGoal = (
  victim: VictimUnderTest,
  { goal }: attack.ThreatModel,
  logits: Float32Array,
  labels: readonly string[],
): boolean => isReached(victim, goalMargin(victim, goal, logits, labels));

/** One perturbation, and noise of its norms, on all test clips. */
async function judgeRung(
  judged: Judged,
  { perturbations, reachedByPass }: Crafted,
  index: number,
  form: PlannedUniversal['form'],
): Promise<{ readonly rung: UniversalRung; readonly cost: CostReport }> {
  const { model, norm, setting, victim } = judged;
  const scale = model.rungs[index]?.scale ?? Number.NaN;
  const epsilons = Object.fromEntries(model.variables.map(({ variable, rho }) => [variable, scale * rho]));
  const norms = Object.fromEntries(Array.from(perturbations, ([name, { data }]) => [name, normOf(data, norm)]));
  const rejection = rejectionOf(judged, perturbations, form === 'strict' ? epsilons : norms);
  const own = await applied(judged, rejection === null ? perturbations : new Map());
  const noise = await applied(judged, universalNoise(perturbations, norm, model.seed));
  return {
    cost: addCosts(own.cost, noise.cost),
    rung: {
      scale,
      epsilons,
      norms,
      applied: Object.fromEntries(
        model.variables.map(({ variable }) => [variable, largestChange(judged, own.points, variable)]),
      ),
      rejection,
      attack: figures(judged, own.logits),
      noise: figures(judged, noise.logits),
      reachedByPass,
      perturbation: rejection === null ? ((await setting.keep?.(perturbations, index)) ?? null) : null,
    },
  };

  /** Test clips with a perturbation, predicted afresh. */
  async function applied({ tested }: Judged, delta: Perturbations) {
    const points = tested.map(({ clean }) => moved(delta, clean, victim));
    return { points, ...(await predictClips(setting.services, victim, points, setting.signal)) };
  }
}

/** clean + delta, limited to the range. */
function moved(delta: Perturbations, clean: ClipInputs, { card }: VictimUnderTest): ClipInputs {
  const batch = new Map(
    Array.from(clean, ([name, { dims, data }]): [string, DenseTensor] => [name, { dims: [1, ...dims], data }]),
  );
  const points = applyUniversal(delta, batch, card);
  return new Map(
    Array.from(clean, ([name, row]) => {
      const data = points.get(name)?.data;
      return [name, data instanceof Float32Array ? { dims: row.dims, data } : row];
    }),
  );
}

const normOf = (delta: Float32Array, norm: UniversalNorm): number =>
  perturbationNorms(delta, new Float32Array(delta.length))[norm];

/** A perturbation beyond its limits, or outside its region, does not count. */
function rejectionOf(
  { model, norm, victim }: Judged,
  perturbations: Perturbations,
  limits: Readonly<Record<string, number>>,
): UniversalRung['rejection'] {
  for (const { variable, region } of model.variables) {
    const delta = perturbations.get(variable)?.data ?? new Float32Array();
    if (!(normOf(delta, norm) <= (limits[variable] ?? Number.NaN))) return 'over-budget';
    const input = victim.card.inputs.find(({ name }) => name === variable);
    if (region === undefined || input === undefined) continue;
    if (leavesRegion(region, input, delta, new Float32Array(delta.length))) return 'outside-region';
  }
  return null;
}

function largestChange({ tested, norm }: Judged, points: readonly ClipInputs[], variable: string): number {
  const sizes = tested.map(({ clean }, index) => {
    const [before, now] = [clean.get(variable)?.data, points[index]?.get(variable)?.data];
    if (!(before instanceof Float32Array && now instanceof Float32Array)) return Number.NaN;
    return perturbationNorms(now, before)[norm];
  });
  return Math.max(0, ...sizes);
}

/** What the test clips' logits come to. A clip that has the goal when clean has it at every budget. */
function figures({ victim, model, tested, off }: Judged, logits: readonly Float32Array[]): UniversalFigures {
  const now = logits.map((row, index) => hasGoal(victim, model, row, tested[index]?.labels ?? []));
  const standing = now.map((reached, index) => Number(!(reached || off[index] === true)));
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const on = [...now.keys()].filter((index) => off[index] === false);
  const targets = targetsOf(
    victim,
    tested.map(({ labels }) => labels),
  );
  return {
    robustAccuracy: mean(standing),
    interval: bootstrapInterval({ values: standing, groups: tested.map(({ groups }) => groups), seed: model.seed }),
    success: on.length === 0 ? null : mean(on.map((index) => Number(now[index]))),
    ranking: rankingFigures({
      labels: victim.card.labels.length,
      scores: logits.flatMap((row) => Array.from(row)),
      targets: Array.from(targets),
    }),
  };
}
