/** What a step of HopSkipJump does with its queries. */
export type Phase =
  /** Looks for a first adversarial point: noise, and the way to the mirrored clip, ever stronger. */
  | 'start'
  /** Goes back along the line to the clean point, to the boundary. */
  | 'blend'
  /** Asks around the boundary point, to estimate the direction into the adversarial region. */
  | 'probe'
  /** Leaves the boundary in that direction, as far as it stays adversarial. */
  | 'move';

/** One step. */
export interface PhaseStep {
  readonly phase: Phase;
  /** Longest step of `move`, as a share of the distance: 1 / sqrt(iteration). */
  readonly stride: number;
}

/** Steps of noise before the first line; a second one helps where the first found nothing, or only something strong. */
const START_STEPS = 2;

/** Share of the distance up to which probes may be away from the point. */
const LARGEST_RADIUS = 0.05;

/**
 * Steps of blending after which probes of sqrt(coordinates) times the line's precision (section III.B of the source: so that about half of them are
 * adversarial) are near. Each step narrows the line by the number of its samples.
 */
export function blendSteps(coordinates: number, samples: number): number {
  let steps = 1;
  while (Math.sqrt(coordinates) * (samples + 1) ** -steps > LARGEST_RADIUS) steps += 1;
  return steps;
}

/** Root mean square length of the probes, as a share of the distance. */
export const probeRadius = (coordinates: number, samples: number): number =>
  Math.sqrt(coordinates) * (samples + 1) ** -blendSteps(coordinates, samples);

/** The phases of `steps` steps of `samples` queries; the number of probes grows with the root of the iteration (algorithm 2). */
export function phases(
  steps: number,
  { coordinates, samples, probes }: { readonly coordinates: number; readonly samples: number; readonly probes: number },
): PhaseStep[] {
  const blending = blendSteps(coordinates, samples);
  const repeat = (phase: Phase, count: number, stride = 1) => Array.from({ length: count }, () => ({ phase, stride }));
  const plan = [...repeat('start', START_STEPS), ...repeat('blend', blending)];
  for (let iteration = 1; plan.length < steps; iteration += 1) {
    plan.push(...repeat('probe', Math.max(1, Math.round((probes * Math.sqrt(iteration)) / samples))));
    plan.push(...repeat('move', 1, 1 / Math.sqrt(iteration)), ...repeat('blend', blending));
  }
  return plan.slice(0, steps);
}
