import { bool, type Graph, GraphBuilder, int } from '@faultline/onnx';
import { OnboardingError } from './onboarding-error.ts';

/** What the model gives, and how it becomes logits [batch, labels]. */
export interface HeadPlan {
  /** The value that the head reads. */
  readonly value: string;
  /** Its sizes, without the batch, which comes first. */
  readonly sizes: readonly number[];
  /** Whether the value holds logits or probabilities. */
  readonly holds: 'logits' | 'probabilities';
  /** Labels that each stand for themselves (sigmoid), or of which one holds (softmax). */
  readonly classes: 'independent' | 'exclusive';
  /** Of exclusive classes: the log-odds of each against all others, of which 0 means p = 0.5, or the raw logits. */
  readonly score: 'log-odds' | 'raw';
  /** How time steps become one, where there are several. */
  readonly pool: 'max' | 'mean';
}

/** Probabilities are kept this far from 0 and 1, where their logits end: float32 holds no number closer to 1. */
const PROBABILITY_MARGIN = 1e-7;
/** More exclusive classes than this are compared by way of probabilities, not one by one: the table has their square. */
const MOST_COMPARED = 512;
/** Takes a class out of the sum over all others. */
const OUT_OF_SIGHT = -1e9;

/** Sizes as steps and labels: [labels], [steps, labels], axes of size 1 aside. */
function stepsAndLabels(sizes: readonly number[]): { readonly steps: number; readonly labels: number } {
  const large = sizes.filter((size) => size !== 1);
  if (large.length > 2) {
    throw new OnboardingError(
      `the model's output is [batch, ${sizes.join(', ')}]; labels, or steps of labels, are understood: choose another with --set output=NAME, or write a graph that makes logits [batch, labels] of it and give it with --head FILE`,
    );
  }
  if (large.length < 2) return { steps: 1, labels: large[0] ?? 1 };
  return { steps: large[0] ?? 1, labels: large[1] ?? 1 };
}

/** Number of labels that a value of these sizes, without the batch, holds. */
export const labelCount = (sizes: readonly number[]): number => stepsAndLabels(sizes).labels;

/** Whether a value of these sizes has several steps. */
export const hasSteps = (sizes: readonly number[]): boolean => stepsAndLabels(sizes).steps > 1;

/** Whether a value is already what a card wants as logits. */
export const needsHead = ({ sizes, holds, classes, score }: HeadPlan): boolean =>
  sizes.length !== 1 || holds !== 'logits' || (classes === 'exclusive' && score === 'log-odds' && (sizes[0] ?? 1) > 1);

/** The graph from a model's value to logits [batch, labels], the output `name`. */
export function buildHead(plan: HeadPlan, name: string): Graph {
  const { steps, labels } = stepsAndLabels(plan.sizes);
  const b = new GraphBuilder();
  const read = b.input(plan.value, ['batch', ...plan.sizes]);
  const rows = b.reshape(read, steps > 1 ? [-1, steps, labels] : [-1, labels]);
  const exclusive = plan.classes === 'exclusive' && labels > 1;
  const scores = exclusive ? exclusiveScores(b, rows, labels, plan) : independentScores(b, rows, plan);
  const pooled =
    steps === 1 ? scores : plan.pool === 'max' ? b.reduceMax(scores, [1], false) : b.reduceMean(scores, [1], false);
  b.output(pooled, ['batch', labels], 'float32', name);
  return b.graph('head');
}

function logOdds(b: GraphBuilder, probabilities: string): string {
  const inside = b.op('Clip', [probabilities, b.scalar(PROBABILITY_MARGIN), b.scalar(1 - PROBABILITY_MARGIN)]);
  return b.minus(b.op('Log', [inside]), b.op('Log', [b.minus(b.scalar(1), inside)]));
}

const independentScores = (b: GraphBuilder, rows: string, { holds }: HeadPlan) =>
  holds === 'probabilities' ? logOdds(b, rows) : rows;

function exclusiveScores(b: GraphBuilder, rows: string, labels: number, { holds, score }: HeadPlan): string {
  if (score === 'raw') {
    if (holds === 'logits') return rows;
    return b.op('Log', [b.op('Max', [rows, b.scalar(PROBABILITY_MARGIN)])]);
  }
  if (holds === 'probabilities') return logOdds(b, rows);
  if (labels > MOST_COMPARED) return logOdds(b, b.op('Softmax', [rows], { axis: int(-1) }));
  // z_k - log sum over j != k of exp z_j: exact where probabilities have long rounded to 0 or 1.
  const own = b.constant(
    bool(
      Array.from({ length: labels * labels }, (_, i) => i % (labels + 1) === 0),
      [labels, labels],
    ),
  );
  const each = b.op('Unsqueeze', [rows, b.ints([-2])]);
  const others = b.op('Where', [own, b.scalar(OUT_OF_SIGHT), each]);
  return b.minus(rows, b.op('ReduceLogSumExp', [others, b.ints([-1])], { keepdims: int(0) }));
}
