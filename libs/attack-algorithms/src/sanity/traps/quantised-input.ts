import { type Replacement, replaceInputs } from './replace-value.ts';
import { logUniform, pick, type Random, still, type Trap, type TrapSetting } from './trap.ts';

/** What rounds: each is constant almost everywhere. */
const ROUNDINGS = ['Round', 'Floor', 'Ceil'] as const;

/** Steps of the grid, in the unit of each kind of input: amplitude in [-1, 1], pixels in [0, 1]. */
const STEPS = { waveform: [2 ** -10, 2 ** -6], frames: [1 / 128, 1 / 16] } as const;

/** Inputs are rounded to a coarse grid that is moved by a random part of its step: no gradient comes back from there. */
export function quantisedInput({ graph, card }: TrapSetting, random: Random): Trap {
  const rounding = pick(random, ROUNDINGS);
  const grids = card.inputs.flatMap(({ name, kind }) => {
    if (kind === undefined) return [];
    const [low, high] = STEPS[kind.$case];
    return [{ name, step: logUniform(random, low, high), offset: random() }];
  });
  const rounded =
    (step: number, offset: number): Replacement =>
    (b, value) => {
      const level = b.op(rounding, [b.plus(b.times(value, b.scalar(1 / step)), b.scalar(offset))]);
      return b.times(b.minus(level, b.scalar(offset)), b.scalar(step));
    };
  const through =
    (replacement: Replacement): Replacement =>
    (b, value) =>
      b.plus(value, still(b, b.minus(replacement(b, value), value)));
  const grid = grids.map(({ name, step, offset }) => [name, rounded(step, offset)] as const);
  return {
    masked: replaceInputs(graph, new Map(grid)),
    revealed: replaceInputs(graph, new Map(grid.map(([name, replacement]) => [name, through(replacement)]))),
    logitScale: card.logitScale,
    drawn: `${rounding}, ${grids.map(({ name, step }) => `${name} ${step.toPrecision(2)}`).join(', ')}`,
  };
}
