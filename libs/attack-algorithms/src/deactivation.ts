import { ProgramBuilder } from './program-builder.ts';

/** Stands for "not this label" among margins; far beyond any logit, and still far from infinity after division by a temperature. */
export const FAR_BELOW = 1e9;

/** Height of the logits above their thresholds where targets are 1, and far below elsewhere: [examples, labels]. */
function heights(b: ProgramBuilder, labels: number): string {
  const above = b.minus(b.read('logits', [labels]), b.constantSlot('thresholds', [labels]));
  const targets = b.read('targets', [labels]);
  // By arithmetic, not by selection, so that the gradient needs the plainest operators only.
  return b.plus(b.times(above, targets), b.times(b.minus(targets, b.scalar(1)), b.scalar(FAR_BELOW)));
}

/** The margin m = max over true labels of (z_y - t_y), [examples]: deactivated where it is below 0. */
export function exactMargin(b: ProgramBuilder, labels: number): string {
  return b.reduceMax(heights(b, labels), [1], false);
}

/**
 * Objective program of deactivation: the margin, smoothed to T log sum exp((z_y - t_y) / T) over the true labels. The plain
 * maximum pulls at one label at a time and zigzags where two are level. The smooth one exceeds it by at most
 * T log(true labels); with one true label it is exact. T is param/temperature, in logits.
 */
export function deactivationObjective(labels: number): Uint8Array {
  const b = new ProgramBuilder();
  const temperature = b.spread(b.read('param/temperature'), [labels]);
  const scaled = b.over(heights(b, labels), temperature);
  const largest = b.reduceMax(scaled, [1]);
  const sum = b.reduceSum(b.op('Exp', [b.minus(scaled, largest)]), [1]);
  const smooth = b.times(temperature, b.plus(largest, b.op('Log', [sum])));
  b.write('loss', b.reshape(smooth, [-1]));
  return b.bytes('deactivation');
}
