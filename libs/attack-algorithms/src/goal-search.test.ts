import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import type { NormName } from './attack.ts';
import { AttackRequestError } from './faults.ts';
import { runOf } from './testing/attack-run.ts';
import { HardSetting } from './testing/hard-setting.ts';
import { criticalScale, type LinearProblem } from './testing/linear-optimum.ts';
import { collectSearch } from './testing/search-setting.ts';

const { GoalKind, Goal } = attack;
const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());
const { linear, clips, masks } = setting;
const BUDGETS: Readonly<Record<NormName, Readonly<Record<string, number>>>> = {
  linf: { waveform: 0.3, frames: 0.2 },
  l2: { waveform: 6, frames: 4 },
  l1: { waveform: 40, frames: 20 },
  l0: { waveform: 3, frames: 2 },
};

/** Weights of the logits whose sum is to fall below 0. */
type Height = readonly number[];

interface GoalCase {
  readonly name: string;
  /** A clip that has not the goal when clean, and how many of its labels, the most active ones, are the true ones. */
  readonly clip: number;
  readonly trueLabels: number;
  goal(label: string): Partial<attack.Goal>;
  readonly above: 'thresholds' | 'logits';
  /** One of these sets whose heights are all below 0 is enough; labels by their activity, the most active one first. */
  sets(labels: readonly number[]): readonly (readonly Height[])[];
}

const only = (label = 0, value = 1): Height => [0, 1, 2].map((index) => (index === label ? value : 0));
const pair = (high = 0, low = 0): Height => [0, 1, 2].map((i) => Number(i === high) - Number(i === low));
const CASES: readonly GoalCase[] = [
  {
    name: 'deactivate one of two',
    clip: 0,
    trueLabels: 2,
    goal: () => ({ kind: GoalKind.GOAL_KIND_DEACTIVATE_ONE }),
    above: 'thresholds',
    sets: ([first, second]) => [[only(first)], [only(second)]],
  },
  {
    name: 'fabricate that one',
    clip: 1,
    trueLabels: 1,
    goal: (label) => ({ kind: GoalKind.GOAL_KIND_FABRICATE_ONE, label }),
    above: 'thresholds',
    sets: ([, , last]) => [[only(last, -1)]],
  },
  {
    name: 'fabricate any',
    clip: 1,
    trueLabels: 1,
    goal: () => ({ kind: GoalKind.GOAL_KIND_FABRICATE_ONE }),
    above: 'thresholds',
    sets: ([, second, last]) => [[only(second, -1)], [only(last, -1)]],
  },
  {
    name: 'untargeted, two true labels',
    clip: 1,
    trueLabels: 2,
    goal: () => ({ kind: GoalKind.GOAL_KIND_TOP_K, k: 1 }),
    above: 'logits',
    sets: ([first, second, last]) => [[pair(first, last), pair(second, last)]],
  },
  {
    name: 'untargeted',
    clip: 2,
    trueLabels: 1,
    goal: () => ({ kind: GoalKind.GOAL_KIND_TOP_K, k: 1 }),
    above: 'logits',
    sets: ([first, second, last]) => [[pair(first, second)], [pair(first, last)]],
  },
  {
    name: 'beyond the two highest',
    clip: 1,
    trueLabels: 1,
    goal: () => ({ kind: GoalKind.GOAL_KIND_TOP_K, k: 2 }),
    above: 'logits',
    sets: ([first, second, last]) => [[pair(first, second), pair(first, last)]],
  },
  {
    name: 'targeted',
    clip: 1,
    trueLabels: 1,
    goal: (label) => ({ kind: GoalKind.GOAL_KIND_TARGETED, label }),
    above: 'logits',
    sets: ([first, second, last]) => [[pair(first, last), pair(second, last)]],
  },
];

/** The closed-form problem of heights that are all to fall below 0. */
function problemOf(
  { clip, above }: GoalCase,
  heights: readonly Height[],
  norm: NormName,
  inputs: ReadonlyMap<string, number>,
): LinearProblem {
  const { margins, variables } = linear.problem(clips, clip, [0, 1, 2], norm, inputs, masks);
  const values = margins.map((m, i) => m + (above === 'logits' ? (linear.card.labels[i]?.threshold ?? 0) : 0));
  const sum = (height: Height, at: (label: number) => number) =>
    height.reduce((total, weight, label) => total + weight * at(label), 0);
  return {
    norm,
    margins: heights.map((height) => sum(height, (label) => values[label] ?? 0)),
    variables: variables.map((variable) => ({
      ...variable,
      weights: heights.map((height) =>
        Float64Array.from(variable.down, (_, i) => sum(height, (label) => variable.weights[label]?.[i] ?? 0)),
      ),
    })),
  };
}

/** Critical scales of the sets of a case, by case, norm and inputs: they take longest. */
const optima = new Map<string, readonly number[]>();

function optimaOf(one: GoalCase, norm: NormName, inputs: ReadonlyMap<string, number>): readonly number[] {
  const key = [one.name, norm, ...inputs.keys()].join();
  const known = optima.get(key);
  if (known !== undefined) return known;
  const sets = one.sets(setting.byMargin(one.clip));
  const scales = sets.map((heights) => criticalScale(problemOf(one, heights, norm, inputs)));
  optima.set(key, scales);
  return scales;
}

interface SearchCase {
  readonly attack: string;
  readonly norm: NormName;
  readonly steps: number;
  /** Excess over the optimum, as a share of it, and in coordinates of the larger budget. */
  readonly tolerance: number;
  readonly coordinates?: number;
  /** Default: all of them. */
  readonly cases?: readonly string[];
}

const SEARCHES: readonly SearchCase[] = [
  { attack: 'fmn', norm: 'l2', steps: 100, tolerance: 0.02 },
  { attack: 'deepfool', norm: 'l2', steps: 20, tolerance: 0.035 },
  { attack: 'deepfool', norm: 'linf', steps: 20, tolerance: 0.035, cases: ['fabricate any'] },
  { attack: 'fmn', norm: 'linf', steps: 100, tolerance: 0.02, cases: ['untargeted'] },
  { attack: 'fab', norm: 'linf', steps: 50, tolerance: 0.025, cases: ['untargeted'] },
  { attack: 'pgd', norm: 'linf', steps: 20, tolerance: 0.02, cases: ['untargeted'] },
  { attack: 'ddn', norm: 'l2', steps: 150, tolerance: 0.02, cases: ['untargeted'] },
  { attack: 'carlini_wagner', norm: 'l2', steps: 150, tolerance: 0.05, cases: ['fabricate any'] },
  { attack: 'fmn', norm: 'l1', steps: 100, tolerance: 0.02, cases: ['fabricate any'] },
  { attack: 'ead', norm: 'l1', steps: 200, tolerance: 0.05, cases: ['fabricate any'] },
  { attack: 'fmn', norm: 'l0', steps: 150, tolerance: 0, coordinates: 2, cases: ['fabricate any'] },
  { attack: 'sigma_zero', norm: 'l0', steps: 200, tolerance: 0, coordinates: 2, cases: ['fabricate any'] },
];

for (const { attack: algorithm, norm, steps, tolerance, coordinates = 0, cases } of SEARCHES) {
  for (const one of CASES.filter(({ name }) => cases?.includes(name) ?? true)) {
    // A goal that any of several labels reaches has a local optimum for each: an attack that descends finds one of them, not always the smallest.
    test(`${algorithm} finds an optimum of '${one.name}' in ${norm}`, async () => {
      const labels = setting.byMargin(one.clip);
      const budgets = new Map(Object.entries(BUDGETS[norm]).filter(([name]) => norm !== 'l0' || name === 'frames'));
      const run = runOf({
        inputs: setting.inputsOf(one.clip),
        labels: [labels.slice(0, one.trueLabels)],
        labelCount: 3,
        norm,
        budgets,
        attack: algorithm,
        rungs: [],
        steps,
        masks,
        goal: Goal.fromPartial(one.goal(linear.card.labels[labels[2] ?? 0]?.label ?? '')),
      });
      const { found } = await collectSearch(linear.victim, run);
      const scale = found[0]?.reachedScale ?? Number.POSITIVE_INFINITY;
      const best = optimaOf(one, norm, budgets);
      const slack = coordinates / Math.max(...budgets.values());
      const near = best.some((optimum) => scale <= optimum * (1 + tolerance) + slack && scale > 0.999 * optimum);
      assert.ok(Math.min(...best) > 0 && near, `${scale}; the optima are ${best.join(' and ')}`);
    });
  }
}

test('HopSkipJump sees that a label went on; which one is the highest it cannot see, and says so', async () => {
  const one = CASES.find(({ name }) => name === 'fabricate that one');
  assert.ok(one);
  const labels = setting.byMargin(one.clip);
  const asked = (goal: Partial<attack.Goal>) =>
    runOf({
      inputs: setting.inputsOf(one.clip),
      labels: [labels.slice(0, 1)],
      labelCount: 3,
      norm: 'l2',
      budgets: new Map([['frames', 4]]),
      masks: new Map(masks.entries().filter(([name]) => name === 'frames')),
      rungs: [],
      attack: 'hop_skip_jump',
      parameters: { queries: 6_000 },
      goal: Goal.fromPartial(goal),
    });
  const { found } = await collectSearch(
    linear.victim,
    asked(one.goal(linear.card.labels[labels[2] ?? 0]?.label ?? '')),
  );
  const [optimum = 0] = optimaOf(one, 'l2', new Map([['frames', 4]]));
  const ratio = (found[0]?.reachedScale ?? Number.POSITIVE_INFINITY) / optimum;
  assert.ok(ratio > 0.999 && ratio < 1.15, `${ratio}`);
  for (const goal of [
    { kind: GoalKind.GOAL_KIND_TOP_K, k: 1 },
    { kind: GoalKind.GOAL_KIND_TARGETED, label: 'dog' },
  ]) {
    await assert.rejects(collectSearch(linear.victim, asked(goal)), (error) => {
      assert.ok(error instanceof AttackRequestError);
      assert.match(error.message, /threat_model\.goal:? is '.*', which 'hop_skip_jump' cannot be told; it takes 'deac/);
      return true;
    });
  }
});
