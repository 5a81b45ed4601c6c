import { elementCount } from '@faultline/contracts';
import { exampleDims, type LoopFootprint, type LoopShape, type VictimDescription } from '@faultline/victim';

const FLOAT_BYTES = 4;

/** Clean points, current points, their gradients and the two that the next ones are written to by turns. */
const POINTS = 5;

/** A loop's memory by its points alone. */
export function footprintOf({ card }: VictimDescription, shape: LoopShape): LoopFootprint {
  const point = card.inputs.reduce((sum, input) => sum + elementCount(exampleDims(input)), 0) * FLOAT_BYTES;
  const samples = shape.samples?.count ?? 1;
  return {
    residentBytes: point * (shape.clips + POINTS * shape.examples),
    workingBytes: point * shape.examples * samples,
  };
}
