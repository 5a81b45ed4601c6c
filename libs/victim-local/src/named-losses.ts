import type { victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import type { NamedLoss } from '@faultline/victim';

/** Stands for "not a target" among margins; far beyond any logit. */
const FAR_BELOW = 1e9;

/** Keeps the distribution of an example without targets finite; its loss is then 0. */
const LEAST_TARGETS = 1e-12;

type Loss = (b: GraphBuilder, logits: string, targets: string, card: victim.Card) => string;

const LOSSES: Readonly<Record<NamedLoss, Loss>> = {
  margin: (b, logits, targets, { labels }) => {
    const thresholds = b.constant(float32(labels.map(({ threshold }) => threshold)));
    const heights = b.times(b.minus(logits, thresholds), targets);
    return b.reduceMax(b.plus(heights, b.times(b.minus(targets, b.scalar(1)), b.scalar(FAR_BELOW))), [1], false);
  },
  bce: (b, logits, targets) => b.reduceMean(b.minus(b.op('Softplus', [logits]), b.times(logits, targets)), [1], false),
  ce: (b, logits, targets) => {
    const total = b.op('Max', [b.reduceSum(targets, [1]), b.scalar(LEAST_TARGETS)]);
    const logProbabilities = b.op('LogSoftmax', [logits], { axis: { type: 'int', value: 1 } });
    return b.negate(b.reduceSum(b.times(b.over(targets, total), logProbabilities), [1], false));
  },
  logit_sum: (b, logits, targets) => b.reduceSum(b.times(logits, targets), [1], false),
};

/** The objective program of a loss that needs none. Definitions: NamedLoss. @throws RangeError for an unknown name. */
export function namedLoss(name: NamedLoss, card: victim.Card): Uint8Array {
  const loss: Loss | undefined = LOSSES[name];
  if (loss === undefined)
    throw new RangeError(
      `there is no loss '${name}'; use one of ${Object.keys(LOSSES).join(', ')}, or an objective program`,
    );
  const b = new GraphBuilder();
  const dims = ['examples', card.labels.length];
  b.output(loss(b, b.input('logits', dims), b.input('targets', dims), card), ['examples'], 'float32', 'loss');
  return encodeModel(b.model(name));
}
