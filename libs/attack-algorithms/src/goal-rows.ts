import type { DenseTensor } from '@faultline/contracts';
import type { Tensors } from '@faultline/victim';
import { among, DEACTIVATE_ALL, falseLabels, type Goal, largestOf } from './goals.ts';
import type { MinimumNormSetting } from './minimum-norm.ts';
import { SampleRows } from './sampled-margin.ts';

/** How the heights of a goal make its margin: all of them are to be below 0 (the largest counts), or any (the smallest). */
export type RowJoin = 'all' | 'any';

/** A goal taken apart into heights that are linear where the logits are, one a sample, so that each has a gradient of its own. */
export interface GoalRows {
  readonly count: number;
  readonly join: RowJoin;
  /** Objective program: the heights, [examples, count]. */
  readonly objective: Uint8Array;
  /** What the objective reads of examples with these targets, float32 [examples, labels]. */
  data(targets: DenseTensor<Float32Array>): Tensors;
}

/** What a goal's heights are of a clip: weighted sums of the logits; the first of them again where there are fewer than `count`. */
interface RowForm {
  readonly count: number;
  readonly join: RowJoin;
  /** Heights are above the thresholds; or logits are compared with each other. */
  readonly above: 'thresholds' | 'logits';
  /** Each row is less one of so many highest false logits, in turn. Default: none. */
  readonly highest?: number;
  weights(isTrue: readonly boolean[]): readonly (readonly number[])[];
}

/** 1 (or `value`) at the label. */
const unit = (labels: number, label: number, value = 1) =>
  Array.from({ length: labels }, (_, index) => (index === label ? value : 0));

/** 1 at one label, -1 at another. */
const pair = (labels: number, high: number, low: number) =>
  unit(labels, high).map((value, index) => (index === low ? -1 : value));

const indicesOf = (isTrue: readonly boolean[], wanted: boolean) =>
  isTrue.flatMap((is, label) => (is === wanted ? [label] : []));

function formOf(goal: Goal, labels: number, mostTargets: number): RowForm {
  const trueHeights = (isTrue: readonly boolean[]) => indicesOf(isTrue, true).map((label) => unit(labels, label));
  const falseDepths = (isTrue: readonly boolean[]) => indicesOf(isTrue, false).map((label) => unit(labels, label, -1));
  switch (goal.kind) {
    case 'deactivate all':
      return { count: mostTargets, join: 'all', above: 'thresholds', weights: trueHeights };
    case 'deactivate one': {
      const { label } = goal;
      if (label === undefined) return { count: mostTargets, join: 'any', above: 'thresholds', weights: trueHeights };
      return { count: 1, join: 'all', above: 'thresholds', weights: () => [unit(labels, label)] };
    }
    case 'fabricate one': {
      const { label } = goal;
      if (label === undefined) return { count: labels - 1, join: 'any', above: 'thresholds', weights: falseDepths };
      return { count: 1, join: 'all', above: 'thresholds', weights: () => [unit(labels, label, -1)] };
    }
    case 'top k': {
      const { k } = goal;
      if (k === 1 && mostTargets === 1) {
        const pairs = (isTrue: readonly boolean[]) =>
          indicesOf(isTrue, false).map((other) => pair(labels, isTrue.indexOf(true), other));
        return { count: labels - 1, join: 'any', above: 'logits', weights: pairs };
      }
      const each = (isTrue: readonly boolean[]) => trueHeights(isTrue).flatMap((row) => Array(k).fill(row));
      return { count: mostTargets * k, join: 'all', above: 'logits', highest: k, weights: each };
    }
    case 'targeted': {
      const others = Array.from({ length: labels }, (_, other) => other).filter((other) => other !== goal.label);
      const rows = others.map((other) => pair(labels, other, goal.label));
      return { count: rows.length, join: 'all', above: 'logits', weights: () => rows };
    }
  }
}

/** data/rows: the weights of each height of each example, [examples, count, labels]. */
function rowsData({ dims, data }: DenseTensor<Float32Array>, { count, weights }: RowForm): DenseTensor<Float32Array> {
  const [examples = 0, labels = 0] = dims;
  const rows = new Float32Array(examples * count * labels);
  for (let example = 0; example < examples; example += 1) {
    const own = weights(Array.from(data.subarray(example * labels, (example + 1) * labels), (target) => target === 1));
    for (let row = 0; row < count; row += 1) {
      rows.set(own[row] ?? own[0] ?? [], (example * count + row) * labels);
    }
  }
  return { dims: [examples, count, labels], data: rows };
}

function rowsObjective({ count, above, highest }: RowForm, labels: number): Uint8Array {
  const b = new SampleRows(count);
  const each = (value: string, width: number) => b.reshape(value, [-1, count, width]);
  const logits = b.read('logits', [labels]);
  const values = above === 'thresholds' ? b.minus(logits, b.constantSlot('thresholds', [labels])) : logits;
  const heights = b.reduceSum(b.times(each(values, labels), b.read('data/rows', [count, labels])), [2], false);
  const others = (most: number) => {
    const turns = Float32Array.from({ length: count * most }, (_, at) =>
      at % most === Math.floor(at / most) % most ? 1 : 0,
    );
    const taken = b.constant({ dataType: 'float32', dims: [1, count, most], data: turns });
    const largest = largestOf(b, among(b, logits, falseLabels(b, labels)), most);
    return b.reduceSum(b.times(each(largest, most), taken), [2], false);
  };
  b.write('loss', highest === undefined ? heights : b.minus(heights, others(highest)), [count]);
  return b.bytes('goal-rows');
}

/**
 * The heights of the setting's goal: of each true label for the deactivation of all, of pairs of labels for targeted and top-k goals. Where several false labels are to
 * pass a true one, or one of them several true ones, those that are the highest at the point count.
 */
export function goalRows({ goal = DEACTIVATE_ALL, thresholds, mostTargets }: MinimumNormSetting): GoalRows {
  const labels = thresholds.length;
  const form = formOf(goal, labels, mostTargets);
  return {
    count: form.count,
    join: form.join,
    objective: rowsObjective(form, labels),
    data: (targets) => new Map([['rows', rowsData(targets, form)]]),
  };
}
