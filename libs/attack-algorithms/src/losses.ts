import { int } from '@faultline/onnx';
import {
  among,
  DEACTIVATE_ALL,
  exactMaximum,
  falseLabels,
  type Goal,
  type GoalSetting,
  goalMargin,
  largestOf,
  oneHot,
  type RowMaximum,
} from './goals.ts';
import { ProgramBuilder } from './program-builder.ts';
import { SampleRows } from './sampled-margin.ts';

/**
 * What gradient attacks descend on, one number an example:
 * - `margin`: the goal's margin, its maxima smoothed to T log sum exp(z / T).
 * - `bce`: minus the mean binary cross-entropy of sigmoid(z) with the targets; towards a label: plus that with the wanted answer.
 * - `ce`: minus the cross-entropy of softmax(z) with the targets, divided by their sum; towards a label: plus that with the label.
 * - `dlr`: the smooth margin over the standard deviation of the logits: as good for several labels, and scale-free.
 * - `dlr_original`: (largest true logit - largest false one) / (1st - 3rd largest): Croce, Hein 2020, arXiv 2003.01690, equation 6.
 * - `dlr_targeted`: (largest true logit - the wanted label's) / (1st - mean of 3rd and 4th): ibid., equation 7.
 */
export const LOSSES = ['margin', 'bce', 'ce', 'dlr', 'dlr_original', 'dlr_targeted'] as const;

export type Loss = (typeof LOSSES)[number];

/** Keeps quotients of logits finite where all of them are equal; as in the reference implementation. */
const SMALLEST_SPREAD = 1e-12;

/** Labels that a loss needs at least, to be more than a constant. */
const FEWEST_LABELS: Record<Loss, number> = {
  margin: 1,
  bce: 1,
  ce: 2,
  dlr: 2,
  dlr_original: 3,
  dlr_targeted: 4,
};

/** The label that the goal wants, where it wants one. */
const wantedLabel = (goal: Goal) =>
  goal.kind === 'targeted' || goal.kind === 'fabricate one' ? goal.label : undefined;

/** What keeps a loss from serving a goal on a victim with so many labels, and what to use instead; undefined where it serves. */
export function lossFault(loss: Loss, labels: number, goal: Goal = DEACTIVATE_ALL): string | undefined {
  const fewest = FEWEST_LABELS[loss];
  if (labels < fewest) {
    const instead = labels === 1 ? 'margin or bce' : 'margin, bce, ce or dlr';
    return `is ${loss}, which needs ${fewest} labels where the victim has ${labels}; use ${instead}`;
  }
  if (loss === 'dlr_targeted' && goal.kind !== 'targeted')
    return `is ${loss}, which needs the goal 'targeted'; use dlr`;
  if (loss === 'dlr_original' && (goal.kind === 'targeted' || goal.kind === 'fabricate one'))
    return `is ${loss}, which moves away from the true labels and not towards one; use dlr`;
  // (z0 - z1) over their spread, which is |z0 - z1| / 2.
  if (loss === 'dlr' && labels === 2 && (goal.kind === 'targeted' || goal.kind === 'top k'))
    return `is ${loss}, which is the same wherever two labels stand; use margin or ce`;
  const somewhere = goal.kind === 'fabricate one' && goal.label === undefined;
  if (somewhere && (loss === 'bce' || loss === 'ce'))
    return `is ${loss}, which needs to know the label to fabricate; use margin`;
  return undefined;
}

/** The maximum of each row, smoothed to T log sum exp(values / T), which exceeds it by at most T log(labels); `temperature` [examples] in logits. */
function smoothMaximum(temperature: string): RowMaximum {
  return (b, values) => {
    const heat = b.reshape(temperature, [-1, 1]);
    const scaled = b.over(values, heat);
    const largest = b.reduceMax(scaled, [1]);
    const sum = b.reduceSum(b.op('Exp', [b.minus(scaled, largest)]), [1]);
    return b.reshape(b.times(heat, b.plus(largest, b.op('Log', [sum]))), [-1]);
  };
}

/** log(1 + exp(z)), without overflow. */
function softplus(b: ProgramBuilder, z: string): string {
  const decay = b.op('Exp', [b.negate(b.op('Abs', [z]))]);
  return b.plus(b.relu(z), b.op('Log', [b.plus(b.scalar(1), decay)]));
}

/** Cross-entropy of softmax(z) with `shares` [.., labels], which sum to 1, [examples]. */
function crossEntropy(b: ProgramBuilder, logits: string, shares: string): string {
  const surprise = b.negate(b.op('LogSoftmax', [logits], { axis: int(1) }));
  return b.reduceSum(b.times(surprise, shares), [1], false);
}

/** Mean over labels of the binary cross-entropy of sigmoid(z) with `wanted` [.., labels], [examples]. */
function binaryCrossEntropy(b: ProgramBuilder, logits: string, wanted: string): string {
  return b.reshape(b.reduceMean(b.minus(softplus(b, logits), b.times(logits, wanted)), [1]), [-1]);
}

/** The `count` largest logits, each [examples, 1], in descending order. */
function largestLogits(b: ProgramBuilder, logits: string, count: number): string[] {
  const values = largestOf(b, logits, count);
  return Array.from({ length: count }, (_, index) => b.slice(values, [index], [index + 1], [1]));
}

/** A quotient [examples] of a difference [examples] and a spread that is not negative [examples, 1]. */
const over = (b: ProgramBuilder, difference: string, spread: string) =>
  b.over(difference, b.plus(b.reshape(spread, [-1]), b.scalar(SMALLEST_SPREAD)));

/** What objectives read as the temperature where nothing else is said, [examples], in logits. */
const givenTemperature = (b: ProgramBuilder) => b.read('param/temperature');

/** Objective program of a loss, for the setting's goal. Losses with smooth maxima, margin and dlr, make them of this temperature. */
export function lossObjective(loss: Loss, setting: GoalSetting, temperature = givenTemperature): Uint8Array {
  const b = new ProgramBuilder();
  b.write('loss', lossOf(b, loss, setting, temperature));
  return b.bytes(loss);
}

/** The same of every sample of sampled evaluations. */
export function sampledLoss(
  loss: Loss,
  setting: GoalSetting,
  samples: number,
  temperature = givenTemperature,
): Uint8Array {
  const b = new SampleRows(samples);
  b.write('loss', b.reshape(lossOf(b, loss, setting, temperature), [-1, samples]), [samples]);
  return b.bytes(loss);
}

/** A loss for the setting's goal, [examples]. */
export function lossOf(b: ProgramBuilder, loss: Loss, setting: GoalSetting, temperature = givenTemperature): string {
  const { goal = DEACTIVATE_ALL, thresholds } = setting;
  const labels = thresholds.length;
  const logits = b.read('logits', [labels]);
  const targets = () => b.read('targets', [labels]);
  const wanted = wantedLabel(goal);
  const smoothMargin = () => goalMargin(b, setting, smoothMaximum(temperature(b)));
  switch (loss) {
    case 'margin':
      return smoothMargin();
    case 'bce':
      return wanted === undefined
        ? b.negate(binaryCrossEntropy(b, logits, targets()))
        : binaryCrossEntropy(b, logits, oneHot(b, wanted, labels));
    case 'ce': {
      if (wanted !== undefined) return crossEntropy(b, logits, oneHot(b, wanted, labels));
      const number = b.op('Max', [b.reduceSum(targets(), [1]), b.scalar(1)]);
      return b.negate(crossEntropy(b, logits, b.over(targets(), number)));
    }
    case 'dlr': {
      const centred = b.minus(logits, b.reduceMean(logits, [1]));
      const variance = b.reduceMean(b.times(centred, centred), [1]);
      return over(b, smoothMargin(), b.op('Sqrt', [b.plus(variance, b.scalar(SMALLEST_SPREAD))]));
    }
    case 'dlr_original': {
      const [first = '', , third = ''] = largestLogits(b, logits, 3);
      const others = exactMaximum(b, among(b, logits, falseLabels(b, labels)));
      return over(b, b.minus(exactMaximum(b, among(b, logits, targets())), others), b.minus(first, third));
    }
    case 'dlr_targeted': {
      const [first = '', , third = '', fourth = ''] = largestLogits(b, logits, 4);
      const sought = b.reduceSum(b.times(logits, oneHot(b, wanted ?? 0, labels)), [1], false);
      const lower = b.times(b.plus(third, fourth), b.scalar(0.5));
      return over(b, b.minus(exactMaximum(b, among(b, logits, targets())), sought), b.minus(first, lower));
    }
  }
}
