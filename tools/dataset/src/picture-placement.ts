import type { Random } from './random.ts';

/** Gains and offset of red, green, blue; offset in 8-bit steps. */
export interface Colour {
  readonly gains: readonly [number, number, number];
  readonly offset: number;
}

/** How a cut-out picture lies and moves over the frame. Lengths are shares of the frame's side, times seconds. */
export interface PicturePlacement {
  /** Long side. */
  readonly size: number;
  /** Centre at mid-clip. */
  readonly x: number;
  readonly y: number;
  readonly velocityX: number;
  readonly velocityY: number;
  /** Relative growth a second. */
  readonly zoom: number;
  readonly angle: number;
  readonly flip: boolean;
  readonly bobHeight: number;
  readonly bobHz: number;
  readonly bobPhase: number;
  /** The picture leaps and swells with its sound; else it bobs steadily. */
  readonly followsSound: boolean;
  readonly colour: Colour;
}

/** How a background photograph passes behind: a window that covers `window` of what fits. */
export interface Travel {
  readonly window: number;
  /** Place of the window at the start and end, each axis in [0, 1] of what is left over. */
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  readonly zoom: number;
  readonly flip: boolean;
  readonly colour: Colour;
}

const SIZE_ALONE = [0.5, 0.95] as const;
const SIZE_IN_PAIR = [0.4, 0.62] as const;
const FOLLOWING_SHARE = 0.5;
const LARGEST_ANGLE = 0.14;
const LARGEST_SPEED = 0.09;
const LARGEST_ZOOM = 0.1;
const GAIN_SPREAD = 0.12;
const BRIGHTNESS_SPREAD = 0.2;
const OFFSET_SPREAD = 14;
const WINDOW = [0.55, 0.98] as const;
const LONGEST_PASS = 0.5;
const PLAIN: Colour = { gains: [1, 1, 1], offset: 0 };

export function drawPlacement(
  { order, of }: { readonly order: number; readonly of: number },
  augment: boolean,
  random: Random,
): PicturePlacement {
  const size = of > 1 ? random.between(...SIZE_IN_PAIR) : random.between(...SIZE_ALONE);
  // Alone: anywhere that keeps it in view at mid-clip. In a pair: a half of the frame each.
  const slack = (1 - size) / 2;
  const x = of > 1 ? (order === 0 ? 0.28 : 0.72) + random.between(-0.06, 0.06) : 0.5 + random.between(-slack, slack);
  const flip = random.chance(0.5);
  const colour = drawColour(random);
  return {
    size,
    x,
    y: 0.5 + random.between(-slack, slack),
    velocityX: random.between(-LARGEST_SPEED, LARGEST_SPEED),
    velocityY: random.between(-LARGEST_SPEED, LARGEST_SPEED) / 2,
    zoom: random.between(-LARGEST_ZOOM, LARGEST_ZOOM),
    angle: random.between(-LARGEST_ANGLE, LARGEST_ANGLE),
    flip: augment && flip,
    bobHeight: random.between(0.01, 0.06),
    bobHz: random.between(0.5, 1.8),
    bobPhase: random.between(0, 2 * Math.PI),
    followsSound: random.chance(FOLLOWING_SHARE),
    colour: augment ? colour : PLAIN,
  };
}

export function drawTravel(augment: boolean, random: Random): Travel {
  const from = [random.next(), random.next()] as const;
  const pass = (start: number): number => {
    const end = start + random.between(-LONGEST_PASS, LONGEST_PASS);
    return Math.min(1, Math.max(0, end));
  };
  const flip = random.chance(0.5);
  const colour = drawColour(random);
  return {
    window: random.between(...WINDOW),
    from,
    to: [pass(from[0]), pass(from[1])],
    zoom: random.between(-LARGEST_ZOOM, LARGEST_ZOOM),
    flip: augment && flip,
    colour: augment ? colour : PLAIN,
  };
}

function drawColour(random: Random): Colour {
  const brightness = 1 + random.between(-BRIGHTNESS_SPREAD, BRIGHTNESS_SPREAD);
  const gain = (): number => brightness * (1 + random.between(-GAIN_SPREAD, GAIN_SPREAD));
  return { gains: [gain(), gain(), gain()], offset: random.between(-OFFSET_SPREAD, OFFSET_SPREAD) };
}
