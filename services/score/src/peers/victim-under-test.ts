import type { inference, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { checkCard, exampleDims, verdictTolerance } from '@faultline/victim';

/** A victim as its inference service describes it, with what judging it needs. */
export interface VictimUnderTest {
  /** Name in the service's configuration. */
  readonly name: string;
  readonly card: victim.Card;
  readonly maxExamples: number;
  readonly runtime: string;
  readonly threads: number;
  readonly protocolVersion: number;
  /** Attack loops served at once. */
  readonly optimizeSlots: number;
  /** Which attacks its graph admits; undefined: not said. */
  readonly gradient: inference.GradientSupport | undefined;
  /** A goal is reached when its margin is at or below minus this. */
  readonly tau: number;
  /** Axis sizes of one example of each input, and of each tap that its service describes. */
  readonly dims: ReadonlyMap<string, readonly number[]>;
  /** Index of each label in the logits. */
  readonly labelIndex: ReadonlyMap<string, number>;
}

/**
 * Reads an inference service's description.
 * @throws FaultlineError failed_precondition when it carries no usable card.
 */
export function victimUnderTest(name: string, description: inference.DescribeResponse): VictimUnderTest {
  const card = usableCard(description);
  return {
    name,
    card,
    maxExamples: Math.max(1, description.maxExamples),
    runtime: description.runtime,
    threads: description.threads,
    protocolVersion: description.protocolVersion,
    optimizeSlots: description.optimizeSlots,
    gradient: description.gradient,
    tau: verdictTolerance(card),
    dims: new Map([
      ...description.taps.map(({ name, dims }) => [name, dims] as const),
      ...card.inputs.map((input) => [input.name, exampleDims(input)] as const),
    ]),
    labelIndex: new Map(card.labels.map((label, index) => [label.label, index])),
  };
}

function usableCard({ card }: inference.DescribeResponse): victim.Card {
  try {
    if (card === undefined) throw new Error('it describes no card');
    checkCard(card);
    return card;
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    throw new FaultlineError('failed_precondition', message, { cause: thrown });
  }
}

/** Targets of these label sets, float32 [clips, labels]: 1 at the true labels. */
export function targetsOf(victim: VictimUnderTest, labelSets: readonly (readonly string[])[]): Float32Array {
  const width = victim.card.labels.length;
  const targets = new Float32Array(labelSets.length * width);
  for (const [row, labels] of labelSets.entries()) {
    for (const label of labels) {
      const index = victim.labelIndex.get(label);
      if (index === undefined) throw new RangeError(`victim '${victim.name}' has no label '${label}'`);
      targets[row * width + index] = 1;
    }
  }
  return targets;
}

/**
 * Margin m = max over the true labels of (logit - threshold), in float64: positive while a true label is active.
 * @param logits one row, [labels].
 */
export function marginOf(victim: VictimUnderTest, logits: Float32Array, labels: readonly string[]): number {
  return Math.max(
    ...labels.map((label) => {
      const index = victim.labelIndex.get(label) ?? Number.NaN;
      return (logits[index] ?? Number.NaN) - (victim.card.labels[index]?.threshold ?? Number.NaN);
    }),
  );
}

/** Whether a goal with this margin counts as reached: that a clip is deactivated, where nothing else is the goal. */
export function isReached(victim: VictimUnderTest, margin: number): boolean {
  return margin <= -victim.tau;
}

/** Labels whose logit is at or above its threshold, the one furthest above it first. */
export function activeLabels(victim: VictimUnderTest, logits: Float32Array): string[] {
  return victim.card.labels
    .map(({ label, threshold }, index) => ({ label, above: (logits[index] ?? Number.NaN) - threshold }))
    .filter(({ above }) => above >= 0)
    .sort((a, b) => b.above - a.above)
    .map(({ label }) => label);
}
