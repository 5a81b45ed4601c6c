import { type DenseTensor, elementCount, sliceRows, type victim } from '@faultline/contracts';
import { perturbationSize } from '@faultline/metrics';
import { type LoopPlan, type Victim, type VictimDescription, verdictTolerance } from '@faultline/victim';
import { loopExamples } from './batch-plan.ts';
import { BisectionLoop, PROBES } from './bisection-loop.ts';
import { checkedOn, cleanRow, isOwnOfClip, reachOf } from './clean-values.ts';
import type { ExampleEvidence } from './evidence.ts';
import type { CleanSize } from './float32-bounds.ts';
import type { LoopProgress } from './ladder-loop.ts';
import type { MinimumNormExample } from './minimum-norm.ts';
import { type ClipSearch, MinimumNormLoop } from './minimum-norm-loop.ts';
import { noiseKey } from './noise-keys.ts';
import type { AttackRun, CheckedRun } from './request.ts';
import { cleanSize, measureOf } from './variable-size.ts';
import { weightedData } from './weighted-data.ts';

/** What a search found for some clips. */
export interface SearchResult {
  /** One for each of these clips, ascending. */
  readonly intervals: readonly SearchInterval[];
  /** Indices of the clips whose goal the attack believes reached, ascending: one a row. */
  readonly clips: readonly number[];
  /** Attacked variables by name, float32 [rows, ...]. */
  readonly adversarial: ReadonlyMap<string, DenseTensor<Float32Array>>;
  /** Joint scale of each row, max_v |delta_v| / rho_v, in float64 from the tensors. */
  readonly scales: readonly number[];
  /** The attack's own margins, one a row: never results, only a fresh prediction is. */
  readonly margins: readonly number[];
}

/** Between which scales a clip's critical one lies, as far as this attack can tell: a failed attack bounds nothing. */
export interface SearchInterval {
  readonly clip: number;
  /** Largest scale below the smallest success that was tried without success; 0 where there was none. */
  readonly failedScale: number;
  /** Smallest scale with success; undefined without one. */
  readonly reachedScale?: number | undefined;
}

/** A loop that searches for the smallest points of some clips. */
export interface SearchLoop {
  run(): AsyncGenerator<LoopProgress>;
  readonly evidence: readonly ExampleEvidence[];
  readonly searches: readonly ClipSearch[];
}

/** Some clips of a search: how many steps they may take, and their loop, anew at each call. */
export interface SearchBlock {
  readonly steps: number;
  newLoop(): SearchLoop;
}

/**
 * The goal of a search is this many tolerances away from the verdict's: its points lie at the boundary, where the last bit of a logit decides about
 * those that a fresh prediction confirms.
 */
const TOLERANCES = 2;

/** The blocks of a search, one after another over the clips. Where budgets or steps differ from clip to clip, each clip has programs of its own. */
export function searchBlocks(
  victimUnderAttack: Victim,
  run: AttackRun,
  checked: CheckedRun,
  description: VictimDescription,
  signal: AbortSignal | undefined,
): SearchBlock[] {
  const all = Array.from({ length: checked.clips }, (_, clip) => clip);
  const parts = checked.variables.some(isOwnOfClip) ? all.map((clip) => [clip]) : [all];
  return parts.flatMap((clips) =>
    blocksOn(clips, victimUnderAttack, run, checkedOn(clips[0] ?? 0, run, checked), description, signal),
  );
}

/** The blocks of clips for which the programs are the same. */
function blocksOn(
  clips: readonly number[],
  victimUnderAttack: Victim,
  run: AttackRun,
  checked: CheckedRun,
  description: VictimDescription,
  signal: AbortSignal | undefined,
): SearchBlock[] {
  const { card } = description;
  const { definition, norm, parameters, variables } = checked;
  const { restarts, steps } = run.threatModel;
  const setting = {
    variables,
    norm,
    steps,
    thresholds: card.labels.map(({ threshold }) => threshold),
    logitScale: card.logitScale,
    goal: checked.goal,
    taps: description.taps,
  };
  const tolerance = TOLERANCES * verdictTolerance(card);
  const elements = variables.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const common = { victim: victimUnderAttack, restarts, signal };

  if (definition.kind === 'minimum norm') {
    const attack = definition.plan(
      { ...setting, reachedMargin: -tolerance, mostTargets: mostTargets(checked) },
      parameters,
    );
    const size = loopExamples(elements, description.maxExamples, attack.samples?.count);
    return blocksOf(clips, size, run, checked).map((examples) => ({
      steps: examples.length * attack.steps * restarts,
      newLoop: () => {
        const batch = loopBatch(examples, run, checked, card);
        const noise = variables.map(({ name, dims }) => ({ name, distribution: attack.noise, dims }));
        const loop = { ...batch, noise, data: attack.data?.(batch.targets) };
        return new MinimumNormLoop({ ...common, attack, loop, examples, reachedMargin: -tolerance });
      },
    }));
  }
  if (definition.kind === 'universal') throw new RangeError(`'${definition.name}' runs no search`);
  const attack = definition.plan(setting, parameters);
  const mostProbes = loopExamples(elements, description.maxExamples, attack.samples?.count);
  const size = Math.max(1, Math.floor(mostProbes / PROBES));
  return blocksOf(clips, size, run, checked).map((examples) => ({
    steps: BisectionLoop.mostSteps(examples.length, attack.steps * restarts),
    newLoop: () =>
      new BisectionLoop({
        ...common,
        attack,
        tolerance,
        examples,
        norm,
        variables,
        clean: ({ clip }) => cleanSizes(clip, run, checked),
        loop: (probes) => loopBatch(probes, run, checked, card),
      }),
  }));
}

/** The most true labels of a clip. */
function mostTargets({ targets, clips }: CheckedRun): number {
  const labels = targets.dims[1] ?? 0;
  const rows = Array.from({ length: clips }, (_, clip) => targets.data.subarray(clip * labels, (clip + 1) * labels));
  return Math.max(...rows.map((row) => row.reduce((sum, value) => sum + value, 0)));
}

/** Clips in blocks of at most so many. */
function blocksOf(clips: readonly number[], size: number, run: AttackRun, checked: CheckedRun): MinimumNormExample[][] {
  const blocks = Math.ceil(clips.length / size);
  return Array.from({ length: blocks }, (_, block) => {
    const cut = (at: number) => Math.floor((at * clips.length) / blocks);
    return clips.slice(cut(block), cut(block + 1)).map((clip) => {
      const bound = run.threatModel.maxScale ?? Number.POSITIVE_INFINITY;
      return { clip, largestScale: Math.min(bound, scaleOfRange(clip, run, checked)) };
    });
  });
}

/** The scale beyond which nothing more can change: that of the farthest corner of the range, [0, infinity). */
function scaleOfRange(clip: number, run: AttackRun, checked: CheckedRun): number {
  const scales = checked.variables.map((variable) => {
    const { mask, rho, weighted } = variable;
    // What the ends of a range come to in weighted coefficients says nothing: the caller gives a bound.
    if (weighted !== undefined) return Number.POSITIVE_INFINITY;
    const clean = cleanRow(variable, clip, run);
    const reach = reachOf(variable, clean).map((value, i) => (mask?.[i] ?? 1) * value);
    return cleanSize(variable, checked.norm, reach).norm / rho;
  });
  return Math.max(...scales);
}

function cleanSizes(clip: number, run: AttackRun, checked: CheckedRun): ReadonlyMap<string, CleanSize> {
  return new Map(
    checked.variables.map((variable) => [
      variable.name,
      cleanSize(variable, checked.norm, cleanRow(variable, clip, run)),
    ]),
  );
}

/** What a loop over these examples opens with. */
function loopBatch(
  examples: readonly { readonly clip: number }[],
  { inputs, threatModel, clipSha256 }: AttackRun,
  { targets, variables }: CheckedRun,
  card: victim.Card,
): Omit<LoopPlan, 'programs' | 'targets'> & { readonly targets: DenseTensor<Float32Array> } {
  const labels = targets.dims[1] ?? 0;
  const clips = examples.map(({ clip }) => clip);
  const [first, end] = [Math.min(...clips), Math.max(...clips) + 1];
  const rows = new Float32Array(examples.length * labels);
  for (const [row, clip] of clips.entries()) {
    rows.set(targets.data.subarray(clip * labels, (clip + 1) * labels), row * labels);
  }
  const own = new Map(Array.from(inputs, ([name, tensor]) => [name, sliceRows(tensor, first, end)]));
  const exampleClips = clips.map((clip) => clip - first);
  return {
    modelSha256: card.sha256,
    variables: variables.map(({ name }) => ({ name, scope: 'example' })),
    inputs: own,
    targets: { dims: [examples.length, labels], data: rows },
    exampleClips,
    data: weightedData(variables, own, exampleClips),
    noiseKeys: BigUint64Array.from(clips, (clip) => noiseKey(threatModel, clipSha256[clip] ?? '')),
  };
}

/** Measures what a loop found, and puts it together. */
export function searchResult(searches: readonly ClipSearch[], run: AttackRun, checked: CheckedRun): SearchResult {
  const measured = searches.map((search) => ({ ...search, scale: scaleOf(search, run, checked) }));
  const rows = measured.flatMap(({ clip, scale, found }) =>
    found === undefined || scale === undefined ? [] : [{ clip, scale, ...found }],
  );
  return {
    intervals: measured.map(({ clip, failedScale, scale }) => ({
      clip,
      failedScale: Math.min(failedScale, scale ?? Number.POSITIVE_INFINITY),
      reachedScale: scale,
    })),
    clips: rows.map(({ clip }) => clip),
    adversarial: new Map(
      checked.variables.map(({ name, dims }) => [
        name,
        stacked(
          rows.flatMap(({ point }) => point.get(name) ?? []),
          dims,
        ),
      ]),
    ),
    scales: rows.map(({ scale }) => scale),
    margins: rows.map(({ margin }) => margin),
  };
}

/** The joint scale of what was found, in float64; undefined without it, and beyond the caller's bound. */
function scaleOf({ clip, found }: ClipSearch, run: AttackRun, checked: CheckedRun): number | undefined {
  if (found === undefined) return undefined;
  const scales = checkedOn(clip, run, checked).variables.map((variable) => {
    const clean = cleanRow(variable, clip, run);
    const point = found.point.get(variable.name)?.data;
    const measure = measureOf(variable, checked.norm);
    return perturbationSize(point ?? new Float32Array(), clean, measure) / variable.rho;
  });
  const scale = Math.max(...scales);
  const { maxScale } = run.threatModel;
  return scale > (maxScale ?? Number.POSITIVE_INFINITY) ? undefined : scale;
}

function stacked(rows: readonly DenseTensor<Float32Array>[], dims: readonly number[]): DenseTensor<Float32Array> {
  const size = elementCount(dims);
  const data = new Float32Array(rows.length * size);
  for (const [index, row] of rows.entries()) data.set(row.data, index * size);
  return { dims: [rows.length, ...dims], data };
}
