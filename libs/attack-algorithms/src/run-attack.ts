import { attack, type DenseTensor, elementCount, sliceRows } from '@faultline/contracts';
import { type Cost, type LoopPlan, type Victim, type VictimDescription, verdictTolerance } from '@faultline/victim';
import type { AttackPlan, ExampleBudget } from './attack.ts';
import { type Block, loopExamples, planBlocks } from './batch-plan.ts';
import { checkedOn, cleanRow, cleanSlice, withCleanTaps } from './clean-values.ts';
import type { ExampleEvidence } from './evidence.ts';
import { type Candidate, type LadderExample, LadderLoop, type LoopProgress } from './ladder-loop.ts';
import { noiseKey } from './noise-keys.ts';
import { type AttackRun, type CheckedRun, checkRun } from './request.ts';
import { type SearchResult, searchBlocks, searchResult } from './search.ts';
import type { UniversalDefinition, UniversalResult } from './universal.ts';
import { universalRungs } from './universal-run.ts';
import { budgetOf, cleanSize, measureOf, trimmed } from './variable-size.ts';
import { weightedData } from './weighted-data.ts';
import { Work } from './work.ts';

/** What a running attack reports, in order; results of a block of clips come when its loop ends, then what its outcomes told; the cost comes last. */
export type AttackEvent =
  | { readonly kind: 'progress'; readonly stepsDone: number; readonly stepsPlanned: number }
  | { readonly kind: 'result'; readonly result: RungCandidates }
  | { readonly kind: 'search'; readonly result: SearchResult }
  | { readonly kind: 'evidence'; readonly examples: readonly ExampleEvidence[] }
  | { readonly kind: 'universal'; readonly result: UniversalResult }
  | { readonly kind: 'cost'; readonly cost: Cost };

/**
 * Candidate adversarial examples of one rung: for rungs that stop early the clips whose goal the attack believes reached and
 * that no smaller rung of either kind reached; for rungs that never stop all clips.
 */
export interface RungCandidates {
  /** Index in the threat model's ladder. */
  readonly rung: number;
  /** Indices of the clips, ascending: one a row. */
  readonly clips: readonly number[];
  /** Attacked variables by name, float32 [rows, ...]. */
  readonly adversarial: ReadonlyMap<string, DenseTensor<Float32Array>>;
  /** The attack's own margins, one a row: never results, only a fresh prediction is. */
  readonly margins: readonly number[];
}

/** The victim serves another model than the run is pinned to. */
export class ModelMismatchError extends Error {
  override name = 'ModelMismatchError';
}

export interface AttackOptions {
  /** Ends the loop on the victim's side when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Asked when a loop has failed, for the how-manieth time in a row: true runs it anew from its seed. Nothing of the failed one is used, so that the
   * result is that of an undisturbed run. Default: the failure is thrown.
   */
  readonly rerun?: ((failure: unknown, failures: number) => Promise<boolean>) | undefined;
}

/**
 * Attacks a batch of clips over a ladder of budgets, or searches for the smallest scale of each clip where there is no ladder. Loops run one after another, each over some clips and (where it fits) their
 * whole ladder. The outcome depends on the request and the victim alone: noise is keyed by seed, clip and threat model, and
 * checks fall on fixed steps. The model that the victim holds at the start is pinned for all loops.
 *
 * @throws AttackRequestError for a request that cannot be run, ModelMismatchError, AttackNumericError when the victim's logits are not numbers, and
 * whatever the victim throws. Aborting the signal throws its reason.
 */
export async function* runAttack(
  victim: Victim,
  run: AttackRun,
  options: AttackOptions = {},
): AsyncGenerator<AttackEvent> {
  const description = await victim.describe({ signal: options.signal });
  const { card } = description;
  if (run.modelSha256 !== '' && run.modelSha256 !== card.sha256) {
    throw new ModelMismatchError(
      `the run is pinned to model ${run.modelSha256} but victim '${card.name}' holds ${card.sha256}; plan the run anew`,
    );
  }
  const checked = checkRun(run, description);
  const { run: known, cost: reading } = await withCleanTaps(victim, run, checked, card, options.signal);
  for await (const event of eventsOf(victim, known, checked, description, options)) {
    yield event.kind === 'cost' ? { kind: 'cost', cost: sumOf(event.cost, reading) } : event;
  }
}

function eventsOf(
  victim: Victim,
  run: AttackRun,
  checked: CheckedRun,
  description: VictimDescription,
  options: AttackOptions,
): AsyncGenerator<AttackEvent> {
  const { definition } = checked;
  if (definition.kind === 'universal') return craft(victim, run, checked, definition, description, options);
  if (run.threatModel.rungs.length === 0) return search(victim, run, checked, description, options);
  return climb(victim, run, checked, description, options);
}

const sumOf = (one: Cost, other: Cost): Cost => ({
  forwardExamples: one.forwardExamples + other.forwardExamples,
  gradientExamples: one.gradientExamples + other.gradientExamples,
});

/** Crafts a perturbation for all clips, one for each rung. */
async function* craft(
  victim: Victim,
  run: AttackRun,
  checked: CheckedRun,
  definition: UniversalDefinition,
  description: VictimDescription,
  { signal, rerun }: AttackOptions,
): AsyncGenerator<AttackEvent> {
  const rungs = universalRungs(victim, run, checked, definition, description, signal);
  const work = new Work(rungs.reduce((sum, { steps }) => sum + steps, 0));
  for (const { steps, newLoop, resultOf } of rungs) {
    work.begin(steps);
    yield { kind: 'universal', result: resultOf(yield* runLoop(newLoop, work, rerun)) };
  }
  yield { kind: 'cost', cost: work.cost };
}

/** Searches for the smallest scale of each clip. */
async function* search(
  victim: Victim,
  run: AttackRun,
  checked: CheckedRun,
  description: VictimDescription,
  { signal, rerun }: AttackOptions,
): AsyncGenerator<AttackEvent> {
  const blocks = searchBlocks(victim, run, checked, description, signal);
  const work = new Work(blocks.reduce((sum, { steps }) => sum + steps, 0));
  for (const { steps, newLoop } of blocks) {
    work.begin(steps);
    const { searches, evidence } = yield* runLoop(newLoop, work, rerun);
    yield { kind: 'search', result: searchResult(searches, run, checked) };
    yield { kind: 'evidence', examples: evidence };
  }
  yield { kind: 'cost', cost: work.cost };
}

/** Runs the ladder of each clip. */
async function* climb(
  victim: Victim,
  run: AttackRun,
  checked: CheckedRun,
  description: VictimDescription,
  options: AttackOptions,
): AsyncGenerator<AttackEvent> {
  const { card } = description;
  const { restarts, rungs } = run.threatModel;
  const plans = plansOf(run, checked, description);
  const elements = checked.variables.reduce((sum, { dims }) => sum + elementCount(dims), 0);
  const samples = Math.max(...plans.map((plan) => plan.samples?.count ?? 1));
  const blocks = planBlocks(checked.clips, rungs.length, loopExamples(elements, description.maxExamples, samples));
  const stepsAnExample = plans.reduce((sum, { steps }) => sum + steps, 0) * restarts;

  const reached = new Map<number, number>();
  const work = new Work(checked.clips * rungs.length * stepsAnExample);
  for (const block of blocks) {
    const [early, complete]: [Candidate[], Candidate[]] = [[], []];
    const evidence: ExampleEvidence[] = [];
    for (const [member, plan] of plans.entries()) {
      work.begin(block.clips * block.rungs * plan.steps * restarts);
      const examples = blockExamples(block, run, checked).filter(
        ({ clip, rung, stopsEarly }) => !stopsEarly || rung < (reached.get(clip) ?? Number.POSITIVE_INFINITY),
      );
      if (examples.length === 0) continue;
      const loop = {
        ...blockBatch(block, run, checked, examples),
        modelSha256: card.sha256,
        variables: checked.variables.map(({ name }) => ({ name, scope: 'example' as const })),
        noiseKeys: keysOf(examples, run),
      };
      const { signal, rerun } = options;
      const tolerance = verdictTolerance(card);
      const newLadder = () => new LadderLoop({ victim, attack: plan, loop, examples, restarts, tolerance, signal });
      const ladder = yield* runLoop(newLadder, work, rerun);
      for (const [clip, rung] of ladder.smallestReached) {
        reached.set(clip, Math.min(rung, reached.get(clip) ?? Number.POSITIVE_INFINITY));
      }
      early.push(...ladder.early);
      complete.push(...ladder.complete);
      evidence.push(...ladder.evidence(member));
    }
    const smallest = early.filter(({ clip, rung }) => reached.get(clip) === rung);
    const candidates = lowestOf([...smallest, ...complete]).map((candidate) => withinBudget(candidate, run, checked));
    for (const result of byRung(candidates)) yield { kind: 'result', result };
    yield { kind: 'evidence', examples: evidence };
  }
  yield { kind: 'cost', cost: work.cost };
}

/**
 * A candidate whose variables of weighted coefficients, and taps, are trimmed to their budgets: the victim computes a tap's clean value in another batch than the one that
 * it is measured from, which moves its last bits.
 */
function withinBudget(candidate: Candidate, run: AttackRun, checked: CheckedRun): Candidate {
  const scale = run.threatModel.rungs[candidate.rung]?.scale ?? Number.NaN;
  const point = new Map(candidate.point);
  for (const variable of checkedOn(candidate.clip, run, checked).variables) {
    const tensor = point.get(variable.name);
    if ((variable.weighted === undefined && variable.isTap !== true) || tensor === undefined) continue;
    const clean = cleanRow(variable, candidate.clip, run);
    const data = trimmed(tensor.data, clean, measureOf(variable, checked.norm), scale * variable.rho);
    point.set(variable.name, { ...tensor, data });
  }
  return { ...candidate, point };
}

/** Of the candidates of one clip and rung, that with the lowest margin, the first of them; other clips and rungs in their order. */
function lowestOf(candidates: readonly Candidate[]): Candidate[] {
  const lowest = new Map<string, Candidate>();
  for (const candidate of candidates) {
    const key = `${candidate.clip} ${candidate.rung}`;
    const known = lowest.get(key);
    if (known === undefined || candidate.margin < known.margin) lowest.set(key, candidate);
  }
  return [...lowest.values()];
}

/** Runs a loop to its end, anew as often as the caller wants it to; the one that got there. */
async function* runLoop<Loop extends { run(): AsyncGenerator<LoopProgress> }>(
  newLoop: () => Loop,
  work: Work,
  rerun: AttackOptions['rerun'],
): AsyncGenerator<AttackEvent, Loop> {
  for (let failures = 1; ; failures += 1) {
    const loop = newLoop();
    try {
      for await (const progress of loop.run()) yield { kind: 'progress', ...work.add(progress) };
      return loop;
    } catch (failure) {
      if ((await rerun?.(failure, failures)) !== true) throw failure;
      work.forgetLoop();
    }
  }
}

function plansOf(
  { threatModel }: AttackRun,
  checked: CheckedRun,
  { card: { labels, logitScale }, taps }: VictimDescription,
): readonly AttackPlan[] {
  const { variables, norm, definition, parameters, goal } = checked;
  if (definition.kind === 'minimum norm' || definition.kind === 'universal') {
    throw new RangeError(`'${definition.name}' runs no ladder of clips`);
  }
  const thresholds = labels.map(({ threshold }) => threshold);
  const setting = { variables, norm, steps: threatModel.steps, thresholds, logitScale, goal, taps };
  return definition.members?.(setting, parameters) ?? [definition.plan(setting, parameters)];
}

/** The block's examples, clip by clip, each with its inward budgets. */
function blockExamples(block: Block, run: AttackRun, checked: CheckedRun): LadderExample[] {
  const examples: LadderExample[] = [];
  for (let clip = block.firstClip; clip < block.firstClip + block.clips; clip += 1) {
    const sizes = checkedOn(clip, run, checked).variables.map((variable) => {
      return { variable, clean: cleanSize(variable, checked.norm, cleanSlice(variable, clip, run)) };
    });
    for (const [offset, { scale, stopping }] of run.threatModel.rungs
      .slice(block.firstRung, block.firstRung + block.rungs)
      .entries()) {
      const budget: ExampleBudget = new Map(
        sizes.map(({ variable, clean }) => [
          variable.name,
          budgetOf(variable, checked.norm, scale * variable.rho, clean),
        ]),
      );
      const stopsEarly = stopping === attack.Stopping.STOPPING_EARLY;
      examples.push({ clip, rung: block.firstRung + offset, stopsEarly, budget });
    }
  }
  return examples;
}

/** The part of the clean batch that a block needs. */
function blockBatch(
  { firstClip, clips }: Block,
  run: AttackRun,
  { targets, variables }: CheckedRun,
  examples: readonly LadderExample[],
): Pick<LoopPlan, 'inputs' | 'targets' | 'exampleClips' | 'data'> {
  const labels = targets.dims[1] ?? 0;
  const rows = new Float32Array(examples.length * labels);
  for (const [row, { clip }] of examples.entries()) {
    rows.set(targets.data.subarray(clip * labels, (clip + 1) * labels), row * labels);
  }
  const exampleClips = examples.map(({ clip }) => clip - firstClip);
  const inputs = new Map(
    Array.from(run.inputs, ([name, tensor]) => [name, sliceRows(tensor, firstClip, firstClip + clips)]),
  );
  return {
    inputs,
    targets: { dims: [examples.length, labels], data: rows },
    exampleClips,
    data: weightedData(variables, inputs, exampleClips),
  };
}

function keysOf(examples: readonly LadderExample[], { threatModel, clipSha256 }: AttackRun): BigUint64Array {
  return BigUint64Array.from(examples, ({ clip }) => noiseKey(threatModel, clipSha256[clip] ?? ''));
}

/** Puts candidates together by rung, ascending, their clips ascending. */
function* byRung(candidates: readonly Candidate[]): Generator<RungCandidates> {
  const groups = Map.groupBy(candidates, ({ rung }) => rung);
  for (const [rung, group] of [...groups].sort(([a], [b]) => a - b)) {
    const rows = group.toSorted((a, b) => a.clip - b.clip);
    const names = [...(rows[0]?.point.keys() ?? [])];
    yield {
      rung,
      clips: rows.map(({ clip }) => clip),
      adversarial: new Map(names.map((name) => [name, stack(rows.flatMap(({ point }) => point.get(name) ?? []))])),
      margins: rows.map(({ margin }) => margin),
    };
  }
}

function stack(rows: readonly DenseTensor<Float32Array>[]): DenseTensor<Float32Array> {
  const [first] = rows;
  const size = first?.data.length ?? 0;
  const data = new Float32Array(rows.length * size);
  for (const [index, row] of rows.entries()) data.set(row.data, index * size);
  return { dims: [rows.length, ...(first?.dims ?? [])], data };
}
