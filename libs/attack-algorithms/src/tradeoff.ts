import { lossObjective } from './losses.ts';
import type { MinimumNormPlan, MinimumNormSetting } from './minimum-norm.ts';
import { largestScales, pathParameters, settingConstants } from './parameters.ts';
import { temperatures } from './pgd.ts';
import type { ProgramBuilder } from './program-builder.ts';

/** Growth of the trade-off where nothing was found. */
const GROWTH = 4;

/** No trade-off found that suffices. */
const NO_BOUND = 1e30;

/** The trade-off of a step, and whether its round ends with this point. */
export interface Tradeoff {
  /** c: weight of the margin against the size, [examples]. */
  readonly present: string;
  /** Boolean, [examples]. */
  readonly ends: string;
}

/** Part of an init program: no trade-off is known. `none` [examples] is zero. */
export function startTradeoff(b: ProgramBuilder, none: string): void {
  for (const name of ['tradeoff', 'lower', 'succeeded']) b.write(`next/state/${name}`, none);
  b.write('next/state/upper', b.plus(none, b.scalar(NO_BOUND)));
}

/**
 * Part of a step program: the search for the smallest weight of the margin against the size that suffices. It begins at `first` [examples], falls by bisection from round
 * to round after successes and grows until there is one. A round ends where param/roundEnds is above 0. `reached`: boolean, [examples].
 */
export function advanceTradeoff(b: ProgramBuilder, first: string, reached: string): Tradeoff {
  const zero = b.scalar(0);
  const known = b.read('state/tradeoff');
  const present = b.op('Where', [b.op('Greater', [known, zero]), known, first]);
  const succeeded = b.op('Where', [reached, b.scalar(1), b.read('state/succeeded')]);
  const success = b.op('Greater', [succeeded, zero]);
  const lower = b.op('Where', [success, b.read('state/lower'), b.op('Max', [b.read('state/lower'), present])]);
  const upper = b.op('Where', [success, b.op('Min', [b.read('state/upper'), present]), b.read('state/upper')]);
  const bounded = b.op('Less', [upper, b.scalar(NO_BOUND)]);
  const middle = b.times(b.plus(lower, upper), b.scalar(0.5));
  const following = b.op('Where', [bounded, middle, b.times(present, b.scalar(GROWTH))]);
  const ends = b.op('Greater', [b.read('param/roundEnds'), zero]);
  const chosen = (ended: string, going: string) => b.op('Where', [ends, ended, going]);
  b.write('next/state/tradeoff', chosen(following, present));
  b.write('next/state/lower', chosen(lower, b.read('state/lower')));
  b.write('next/state/upper', chosen(upper, b.read('state/upper')));
  b.write('next/state/succeeded', chosen(b.times(succeeded, zero), succeeded));
  return { present, ends };
}

/**
 * The plan of a search that tries one trade-off after another, each in a round of its own, `rounds` of them where there are as many steps.
 * @param pathsOf the parameters of each step of a round of so many steps, beside the temperature and the round's end
 */
export function tradeoffPlan(
  setting: MinimumNormSetting,
  programs: { readonly init: Uint8Array; readonly step: Uint8Array },
  rounds: number,
  pathsOf: (length: number) => Readonly<Record<string, readonly number[]>>,
): MinimumNormPlan {
  const { steps, logitScale } = setting;
  const length = Math.ceil(steps / Math.min(rounds, steps));
  const round = {
    ...pathsOf(length),
    temperature: temperatures(length, logitScale),
    roundEnds: Array.from({ length }, (_, step) => (step === length - 1 ? 1 : 0)),
  };
  const paths = Object.fromEntries(
    Object.entries(round).map(([name, path]) => [
      name,
      Array.from({ length: steps }, (_, step) => path[step % length] ?? 0),
    ]),
  );
  return {
    programs: { objective: lossObjective('margin', setting), ...programs },
    noise: 'normal',
    constants: settingConstants(setting),
    steps,
    initParameters: largestScales,
    stepParameters: (examples, first, count) => pathParameters(paths, examples.length, first, count),
  };
}
