/** Lengths of the windows between checkpoints, as shares of all steps: the first, by how much each is shorter, the shortest. Croce, Hein 2020, section 3.4. */
const FIRST_WINDOW = 0.22;
const WINDOW_DECREASE = 0.03;
const SHORTEST_WINDOW = 0.06;

/** L1: windows of the same length. Croce, Hein 2021, section 3.2. */
const SPARSE_WINDOW = 0.04;

/** rho: share of the steps of a window that must lower the loss, lest the step size is halved. */
const RHO = 0.75;

/** The point evaluated at a step may be a checkpoint. */
export interface Checkpoint {
  /** Steps whose points were evaluated since the last checkpoint (or the start). */
  readonly window: number;
  /** Where no more of them than this lowered the loss, the iterate oscillates. */
  readonly fewestDescents: number;
}

/** Share of the steps as a whole number of them, 1 at least. */
const portion = (share: number, steps: number) => Math.max(1, Math.trunc(share * steps));

/** The checkpoints of a restart, by step; step 0 evaluates the start. */
export function checkpoints(steps: number, windows: 'shrinking' | 'even'): Map<number, Checkpoint> {
  const [shortest, decrease] = [portion(SHORTEST_WINDOW, steps), portion(WINDOW_DECREASE, steps)];
  let window = portion(windows === 'even' ? SPARSE_WINDOW : FIRST_WINDOW, steps);
  const found = new Map<number, Checkpoint>();
  let step = window;
  while (step < steps) {
    found.set(step, { window, fewestDescents: RHO * window });
    if (windows === 'shrinking') window = Math.max(shortest, window - decrease);
    step += window;
  }
  return found;
}

/**
 * Steps of the settling: which share of the coordinates they move and what they are long, in units of epsilon, at the first of them; both fall to nothing. The
 * fewer there are, the longer they begin: together they must reach all of the ball.
 */
const SETTLING_SHARE = 0.01;
const SETTLING_STEP = 0.2;
const SETTLING_PATH = 20;
const settlingStep = (steps: number) => Math.min(1, Math.max(SETTLING_STEP, SETTLING_PATH / steps));

/** Fewest steps of a settling, where there are so many: with less time than that to search and to settle, settling finds more. */
const FEWEST_SETTLING = 25;

/** One step of L1's settling. */
export interface Settling {
  /** In units of epsilon; 0 where nothing settles yet. */
  readonly stepSize: number;
  /** Share of the coordinates. */
  readonly share: number;
  readonly begins: boolean;
}

/**
 * The end of a restart in L1, `part` of its steps: the paper's smallest step is a tenth of epsilon, which leaves points moving around the edge at that
 * distance; here steps fall along a half cosine.
 */
export function settling(steps: number, part: number): (step: number) => Settling {
  const count = part === 0 ? 0 : Math.max(Math.floor(part * steps), Math.min(FEWEST_SETTLING, steps));
  const first = steps - count;
  return (step) => {
    if (step < first || first >= steps) return { stepSize: 0, share: 0, begins: false };
    const decay = (1 + Math.cos((Math.PI * (step - first)) / (steps - first))) / 2;
    return { stepSize: settlingStep(count) * decay, share: SETTLING_SHARE * decay, begins: step === first };
  };
}
