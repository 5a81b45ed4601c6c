import { elementCount, type Graph } from '@faultline/onnx';

/** How far an adversary may move each sample of the waveform (amplitude in [-1, 1]) and each pixel (in [0, 1]): L-inf. */
export interface ModalityBudgets {
  readonly waveform: number;
  readonly frames: number;
}

/** What an adversary may change, with its range. */
const RANGES = { waveform: [-1, 1], frames: [0, 1] } as const;

/** An input under a budget. */
export interface BudgetedInput {
  readonly name: keyof typeof RANGES;
  /** Sizes of one example. */
  readonly dims: readonly number[];
  readonly epsilon: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Inputs of a victim that have a budget above 0.
 * @throws RangeError when a budget is negative, or when none is above 0.
 */
export function budgetedInputs(graph: Graph, budgets: ModalityBudgets): readonly BudgetedInput[] {
  const found = (['waveform', 'frames'] as const).flatMap((name): BudgetedInput[] => {
    const epsilon = budgets[name];
    if (!(epsilon >= 0)) throw new RangeError(`the budget of ${name} is ${epsilon}; give 0 or more`);
    const input = graph.inputs.find((candidate) => candidate.name === name);
    if (input === undefined || epsilon === 0) return [];
    const dims = (input.dims ?? []).slice(1).map(Number);
    const [low, high] = RANGES[name];
    return [{ name, dims, epsilon, low, high }];
  });
  if (found.length === 0) {
    throw new RangeError(
      `no input of this victim has a budget above 0 (waveform ${budgets.waveform}, frames ${budgets.frames}); raise one`,
    );
  }
  return found;
}

/** Elements of one example. */
export const sizeOf = ({ dims }: BudgetedInput): number => elementCount(dims);
