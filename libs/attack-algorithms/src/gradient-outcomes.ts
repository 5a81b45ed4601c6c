const PREFIX = 'gradient/';

/** Slot in which a step program tells how large a variable's gradient is: the sum of its absolute values, [examples]. 0 exactly where all are. */
export const gradientOutcome = (variable: string) => `outcome/${PREFIX}${variable}`;

/** Of a loop's outcomes those that tell of gradients, by variable. */
export function gradientOutcomes(outcomes: ReadonlyMap<string, Float32Array>): ReadonlyMap<string, Float32Array> {
  return new Map(
    outcomes
      .entries()
      .filter(([name]) => name.startsWith(PREFIX))
      .map(([name, sizes]) => [name.slice(PREFIX.length), sizes]),
  );
}
