import { type Graph, isBatchAxis, type ValueInfo, type ValueType } from '@faultline/onnx';
import type { Answers } from './answers.ts';
import { type FoundHead, findHead } from './find-head.ts';
import { type HeadPlan, hasSteps, labelCount } from './head.ts';
import type { ModelInput } from './model-input.ts';
import { OnboardingError } from './onboarding-error.ts';

/** Which output tells the labels; outputs that hand a state on have the shape of a constant input. */
export async function askOutput(
  answers: Answers,
  outputs: readonly ValueInfo[],
  inputs: readonly ModelInput[],
): Promise<string> {
  const states = inputs.filter(({ role }) => role.role === 'constant' && role.sizes.length > 0);
  const isState = ({ name, dims }: ValueInfo) =>
    states.some(({ info, role }) => {
      const sizes = role.role === 'constant' ? role.sizes : [];
      const alike =
        dims !== undefined &&
        dims.length === sizes.length &&
        dims.every((size, axis) => typeof size !== 'number' || size === sizes[axis]);
      return alike && (dims?.length !== 2 || name.startsWith(info.name));
    });
  const candidates = outputs.filter((output) => !isState(output));
  const [first] = candidates.length > 0 ? candidates : outputs;
  const names = outputs.map(({ name }) => name);
  const why =
    candidates.length === 1
      ? 'It is the only output that is no state.'
      : `There are ${names.join(', ')}; the first is taken.`;
  return answers.get({
    field: 'output',
    text: 'Which output tells the labels?',
    why,
    choices: names,
    ...(first === undefined ? {} : { default: first.name, certain: candidates.length === 1 }),
  });
}

/** Sizes of a value without its batch. @throws OnboardingError when the first axis does not follow the batch, or another does. */
export function sizesOf(types: ReadonlyMap<string, ValueType>, value: string): number[] {
  const dims = types.get(value)?.dims ?? [];
  const [batch, ...rest] = dims;
  const sizes = rest.filter((size) => !isBatchAxis(size));
  if (batch === undefined || !isBatchAxis(batch) || batch.batch !== 1 || sizes.length !== rest.length) {
    const shown = dims.map((size) =>
      isBatchAxis(size) ? (size.batch === 1 ? 'batch' : `${size.batch} x batch`) : size,
    );
    throw new OnboardingError(
      `'${value}' is [${shown.join(', ')}]; its first axis must be the batch, and no other: choose another with --set output=NAME, or write a graph that makes logits [batch, labels] and give it with --head FILE`,
    );
  }
  return sizes.map(Number);
}

/** What a value's numbers look like. */
export interface ValueRange {
  readonly least: number;
  readonly most: number;
  /** Whether each row of labels sums to one. */
  readonly sumsToOne: boolean;
}

export interface HeadSurroundings {
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
  readonly output: string;
  /** Of the output, on sample inputs. */
  readonly range: ValueRange;
  /** Whether the victim hears; sounds usually have several labels at once. */
  readonly hears: boolean;
}

/** The value that holds logits before the activation, unless the graph's types say that it cannot be read. */
function readable(found: FoundHead, { types, output }: HeadSurroundings): FoundHead {
  const [inner, outer] = [types.get(found.value), types.get(output)];
  const elements = (type: ValueType | undefined) =>
    type?.dims.reduce<number>((product, size) => product * (isBatchAxis(size) ? size.batch : size), 1);
  const axisFirst = inner?.dims[0];
  const fits = elements(inner) === elements(outer) && axisFirst !== undefined && isBatchAxis(axisFirst);
  const lastAxis = found.axis === undefined || found.axis === -1 || found.axis === (inner?.dims.length ?? 0) - 1;
  return fits && lastAxis ? found : { activation: undefined, value: output, axis: undefined };
}

/** Finds logits in the graph, or behind it, and asks what the graph does not say. */
export async function askHead(answers: Answers, around: HeadSurroundings): Promise<HeadPlan> {
  const { graph, types, output, range } = around;
  const found = readable(findHead(graph, output), around);
  const inside = range.least >= 0 && range.most <= 1;
  const holds = await answers.get({
    field: 'holds',
    text: 'Does the output hold logits or probabilities?',
    why:
      found.activation !== undefined
        ? `The graph makes it with ${found.activation}; the logits before it are used.`
        : `On sample inputs its values lie from ${range.least.toPrecision(3)} to ${range.most.toPrecision(3)}.`,
    choices: ['logits', 'probabilities'],
    default: found.activation !== undefined || inside ? 'probabilities' : 'logits',
    certain: found.activation !== undefined || !inside,
  });
  // A softmax changes logits by one number a row: what comes before a log-softmax serves as well as what comes after.
  const beforeActivation = found.activation !== undefined && holds === 'probabilities';
  const value = beforeActivation ? found.value : output;
  const sizes = sizesOf(types, value);
  const labels = labelCount(sizes);
  const classes = await askClasses(answers, found, around, labels);
  const score =
    classes === 'exclusive' && labels > 1
      ? await answers.get({
          field: 'score',
          text: 'Score of an exclusive class: its log-odds against all others, or its raw logit?',
          why: 'Log-odds are 0 where p = 0.5, so a threshold means the same for every label; a raw logit alone says nothing.',
          choices: ['log-odds', 'raw'],
          default: 'log-odds',
          certain: true,
        })
      : 'raw';
  const pool = hasSteps(sizes)
    ? await answers.get({
        field: 'pool',
        text: `The output has several steps ([${sizes.join(', ')}]); how do they become one?`,
        why: 'An event counts wherever it happens.',
        choices: ['max', 'mean'],
        default: 'max',
      })
    : 'max';
  return {
    value,
    sizes,
    holds: holds === 'probabilities' && !beforeActivation ? 'probabilities' : 'logits',
    classes,
    score: score === 'log-odds' ? 'log-odds' : 'raw',
    pool: pool === 'mean' ? 'mean' : 'max',
  };
}

async function askClasses(
  answers: Answers,
  found: FoundHead,
  { range, hears }: HeadSurroundings,
  labels: number,
): Promise<HeadPlan['classes']> {
  if (labels === 1) return 'independent';
  const known =
    found.activation === undefined ? undefined : found.activation === 'sigmoid' ? 'independent' : 'exclusive';
  const measured = range.sumsToOne ? 'exclusive' : hears ? 'independent' : 'exclusive';
  const why =
    known !== undefined
      ? `The graph has ${found.activation}.`
      : range.sumsToOne
        ? 'The outputs sum to one.'
        : hears
          ? 'A sound usually has several labels.'
          : 'A picture usually has one label.';
  const classes = await answers.get({
    field: 'classes',
    text: 'Does each label stand for itself (independent), or does exactly one hold (exclusive)?',
    why,
    choices: ['independent', 'exclusive'],
    default: known ?? measured,
    certain: known !== undefined || range.sumsToOne,
  });
  return classes === 'independent' ? 'independent' : 'exclusive';
}
