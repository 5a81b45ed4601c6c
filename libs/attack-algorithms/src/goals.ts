import { int } from '@faultline/onnx';
import { FAR_BELOW } from './deactivation.ts';
import type { ProgramBuilder } from './program-builder.ts';

/**
 * What an attack wants of the logits z, with thresholds t; true labels are those of the targets. Each goal is reached where its margin is
 * below 0 (see `goalMargin`).
 */
export type Goal =
  /** No true label is active: m = max over true labels of z - t. */
  | { readonly kind: 'deactivate all' }
  /** One true label is inactive, that one or any: m = z - t, the smallest over the true labels. */
  | { readonly kind: 'deactivate one'; readonly label?: number | undefined }
  /** One false label is active, that one or any: m = t - z, the smallest over the false labels. */
  | { readonly kind: 'fabricate one'; readonly label?: number | undefined }
  /** No true label is among the k highest: m = largest true logit - k-th largest false one. k = 1: untargeted. */
  | { readonly kind: 'top k'; readonly k: number }
  /** The label is the highest of all: m = largest other logit - its logit. */
  | { readonly kind: 'targeted'; readonly label: number };

/** The goal where none is named. */
export const DEACTIVATE_ALL: Goal = { kind: 'deactivate all' };

/** What of a setting a margin depends on. */
export interface GoalSetting {
  /** Activation threshold of each label, in logits. */
  readonly thresholds: readonly number[];
  /** Default: all true labels are to be deactivated. */
  readonly goal?: Goal | undefined;
}

/** The largest of each row of [examples, labels], [examples]: exact, or a smooth bound. */
export type RowMaximum = (b: ProgramBuilder, values: string) => string;

/** The exact maximum. */
export const exactMaximum: RowMaximum = (b, values) => b.reduceMax(values, [1], false);

/** Values where `where` (1 or 0, [examples, labels]) is 1, far below elsewhere: by arithmetic, so that gradients need the plainest operators only. */
export function among(b: ProgramBuilder, values: string, where: string): string {
  return b.plus(b.times(values, where), b.times(b.minus(where, b.scalar(1)), b.scalar(FAR_BELOW)));
}

/** 1 at the label, 0 elsewhere, [1, labels]. */
export function oneHot(b: ProgramBuilder, label: number, labels: number): string {
  const picks = Float32Array.from({ length: labels }, (_, index) => (index === label ? 1 : 0));
  return b.constant({ dataType: 'float32', dims: [1, labels], data: picks });
}

/** Where the targets are 0, [examples, labels]. */
export const falseLabels = (b: ProgramBuilder, labels: number) => b.minus(b.scalar(1), b.read('targets', [labels]));

/** Logits above their thresholds, [examples, labels]. */
const above = (b: ProgramBuilder, labels: number) =>
  b.minus(b.read('logits', [labels]), b.constantSlot('thresholds', [labels]));

/** The `count` largest of each row of [examples, labels], descending, [examples, count]. */
export function largestOf(b: ProgramBuilder, values: string, count: number): string {
  const [largest, places] = [b.fresh('largest'), b.fresh('places')];
  b.add('TopK', [values, b.ints([count])], { axis: int(1) }, [largest, places]);
  return largest;
}

/** The margin of a goal, [examples]: reached where it is below 0. With a smooth maximum it is smooth too. */
export function goalMargin(b: ProgramBuilder, setting: GoalSetting, largest: RowMaximum = exactMaximum): string {
  const { thresholds, goal = DEACTIVATE_ALL } = setting;
  const labels = thresholds.length;
  const logits = () => b.read('logits', [labels]);
  const targets = () => b.read('targets', [labels]);
  const at = (values: string, label: number) => b.reduceSum(b.times(values, oneHot(b, label, labels)), [1], false);
  switch (goal.kind) {
    case 'deactivate all':
      return largest(b, among(b, above(b, labels), targets()));
    case 'deactivate one':
      if (goal.label !== undefined) return at(above(b, labels), goal.label);
      return b.negate(largest(b, among(b, b.negate(above(b, labels)), targets())));
    case 'fabricate one':
      if (goal.label !== undefined) return b.negate(at(above(b, labels), goal.label));
      return b.negate(largest(b, among(b, above(b, labels), falseLabels(b, labels))));
    case 'top k': {
      const highest = largest(b, among(b, logits(), targets()));
      const others = among(b, logits(), falseLabels(b, labels));
      if (goal.k === 1) return b.minus(highest, largest(b, others));
      // The k-th is the smallest of the k: as a maximum, so that a smooth one raises all of them where they are level.
      return b.plus(highest, largest(b, b.negate(largestOf(b, others, goal.k))));
    }
    case 'targeted': {
      const others = b.minus(b.scalar(1), oneHot(b, goal.label, labels));
      return b.minus(largest(b, among(b, logits(), others)), at(logits(), goal.label));
    }
  }
}
