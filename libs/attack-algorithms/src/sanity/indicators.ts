import type { ExampleEvidence } from '../evidence.ts';
import type { GradientProbe } from './gradient-probe.ts';

/** What is known of the attack on one clip; what is left out is not known. */
export interface ClipEvidence {
  /** What the gradient claims at the clean point, and what the victim does there. */
  readonly probe?: GradientProbe | undefined;
  /** What the attack's loops told, rung by rung. */
  readonly loops?: readonly ExampleEvidence[] | undefined;
  /** Whether a candidate that the attack believed in was refuted by a fresh prediction. */
  readonly refuted?: boolean | undefined;
  /** Smallest verified scales, infinity where nothing was found. */
  readonly scales?: VerifiedScales | undefined;
  /** Whether the attack reached the goal with the whole range as its budget. */
  readonly unbounded?: boolean | undefined;
}

export interface VerifiedScales {
  /** Of the attack that follows gradients. */
  readonly attack: number;
  /** Of random noise of the same norms. */
  readonly noise?: number | undefined;
  /** Of an attack that follows no gradient. */
  readonly blackBox?: number | undefined;
  /** Of points that were made against another victim, and tried on this one. */
  readonly transfer?: number | undefined;
}

export type IndicatorName =
  | 'zero-gradient'
  | 'slope-mismatch'
  | 'rising-loss'
  | 'silent-failure'
  | 'noise-is-better'
  | 'black-box-is-better'
  | 'no-transfer'
  | 'unbounded-failure';

/** A sign that an attack failed for a reason of its own, not for the victim's strength. */
export interface Indicator {
  readonly name: IndicatorName;
  /** For people: what was seen, and what that means. */
  readonly reason: string;
  /** Undefined where the evidence does not tell. */
  readonly shows: (evidence: ClipEvidence) => boolean | undefined;
}

/** Share of an example's gradients that may be exactly 0. */
const ZERO_SHARE = 0.1;
/** Of a claimed fall, this much at least and at most must come about. Clean victims: 0.5 to 1.1; of 8 bits: up to 2. */
const FULFILLED = { least: 0.25, most: 4 } as const;
/** How much smaller another attack's budget must be, to be called better: ladders and random starts differ by less. */
const BETTER = 0.9;

const isSmaller = (other: number | undefined, attack: number | undefined) =>
  other === undefined || attack === undefined ? undefined : other < BETTER * attack;

/** Whether a gradient says that not even the whole range lowers the margin to the goal. */
const claimsNothing = ({ claimed, furthest, margin }: GradientProbe) => margin > 0 && claimed * furthest < margin;

function hasNoDirection({ probe, loops }: ClipEvidence): boolean | undefined {
  const gradients = loops?.map((loop) => [...loop.gradients.values()]) ?? [];
  // An attack stands still where the gradients of all its variables are 0.
  const counted = gradients.filter((variables) => variables.some(({ evaluations }) => evaluations > 0));
  if (probe === undefined && counted.length === 0) return undefined;
  const still = counted.some((variables) =>
    variables.every(({ zeros, evaluations }) => zeros > ZERO_SHARE * evaluations),
  );
  return still || (probe !== undefined && claimsNothing(probe));
}

function neverFell({ loops }: ClipEvidence): boolean | undefined {
  const judged = (loops ?? []).filter(({ reached, evaluations }) => reached === undefined && evaluations > 1);
  if (judged.length === 0) return undefined;
  return judged.some(({ path, lowestMargin }) => lowestMargin >= (path[0]?.margin ?? Number.POSITIVE_INFINITY));
}

/** The table of indicators. Sources: Pintor et al. 2022, arXiv 2106.09947; Carlini et al. 2019, arXiv 1902.06705, section 5; Athalye et al. 2018, arXiv 1802.00420, section 3.1. */
export const INDICATORS: readonly Indicator[] = [
  {
    name: 'zero-gradient',
    reason:
      'the gradient is 0, or so small that the whole range of the inputs would not do: the attack had no direction',
    shows: hasNoDirection,
  },
  {
    name: 'slope-mismatch',
    reason: 'along the gradient the margin does not fall as the gradient claims: it points nowhere',
    shows: ({ probe }) =>
      probe?.fulfilled === undefined
        ? undefined
        : !(probe.fulfilled >= FULFILLED.least && probe.fulfilled <= FULFILLED.most),
  },
  {
    name: 'rising-loss',
    reason: 'the attack never came below the margin that it started with',
    shows: neverFell,
  },
  {
    name: 'silent-failure',
    reason: 'the attack believed the goal reached, a fresh prediction says no',
    shows: ({ refuted }) => refuted,
  },
  {
    name: 'noise-is-better',
    reason: 'random noise reached the goal with a clearly smaller budget than the attack',
    shows: ({ scales }) => isSmaller(scales?.noise, scales?.attack),
  },
  {
    name: 'black-box-is-better',
    reason: 'an attack without these gradients reached the goal with a clearly smaller budget than the one with them',
    shows: ({ scales }) => isSmaller(scales?.blackBox, scales?.attack),
  },
  {
    name: 'no-transfer',
    reason:
      'points made against another victim reach the goal here with a clearly smaller budget than the attack on this one found',
    shows: ({ scales }) => isSmaller(scales?.transfer, scales?.attack),
  },
  {
    name: 'unbounded-failure',
    reason: 'the attack failed although it might change everything',
    shows: ({ unbounded }) => (unbounded === undefined ? undefined : !unbounded),
  },
];

/** An indicator that is raised for a set of clips. */
export interface Finding {
  readonly indicator: IndicatorName;
  readonly reason: string;
  /** Clips that show it, of those whose evidence tells. */
  readonly clips: number;
  readonly of: number;
}

/** An indicator is raised when more than this share of the clips shows it, and more than one where there are more: single clips may stand at a kink. */
const RAISED_SHARE = 0.1;
const RAISED_CLIPS = 2;

/** The indicators that a set of clips raises, in the order of the table. Those that the evidence of no clip tells are not raised. */
export function findingsOf(clips: readonly ClipEvidence[]): Finding[] {
  return INDICATORS.flatMap(({ name, reason, shows }) => {
    const told = clips.flatMap((clip) => shows(clip) ?? []);
    const showing = told.filter(Boolean).length;
    const isRaised = showing > RAISED_SHARE * told.length && showing >= Math.min(RAISED_CLIPS, told.length);
    return isRaised ? [{ indicator: name, reason, clips: showing, of: told.length }] : [];
  });
}
