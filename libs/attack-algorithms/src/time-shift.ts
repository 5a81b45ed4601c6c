import { float32, int } from '@faultline/onnx';
import type { NoiseSlot } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import { ProgramBuilder } from './program-builder.ts';

/** How the stretch that a shift leaves is filled: with what left at the other end, or with zeros. */
export type ShiftFill = 'circular' | 'silence';

/** Random onsets of a variable: what a victim records begins earlier or later. */
export interface TimeShift {
  readonly variable: AttackVariable;
  /** Largest shift, in samples of a waveform or in frames, either way; at least 1. */
  readonly most: number;
  readonly fill: ShiftFill;
}

const ONSET = 'onset';

/** Noise that `shiftTransform` reads: one onset for all variables, as a share of the largest shift. */
export const ONSET_NOISE: NoiseSlot = { name: ONSET, distribution: 'uniform', dims: [1] };

/** ONNX's number for int64. */
const INT64 = 7;

/**
 * Transform program: `samples` views of each example, the first as it is, the others with all variables shifted in time by one random onset: position i shows what
 * stands at i + shift. Waveforms [samples] move by samples, frames [frames, ...] by frames.
 */
export function shiftTransform(shifts: readonly TimeShift[], samples: number): Uint8Array {
  const b = new ProgramBuilder();
  const moved = float32(
    Float32Array.from({ length: samples }, (_, sample) => (sample === 0 ? 0 : 1)),
    [1, samples, 1],
  );
  const onset = b.times(b.read(`noise/${ONSET}`, [samples, 1]), b.constant(moved));
  for (const { variable, most, fill } of shifts) {
    const { name, dims } = variable;
    const [length = 0, ...rest] = dims;
    // Rounded to the nearest, so that both ends and 0 are drawn.
    const shift = b.op('Floor', [b.plus(b.times(onset, b.scalar(most)), b.scalar(0.5))]);
    const source = b.plus(b.reshape(b.positions(length), [1, 1, length]), shift);
    const place = b.op('Mod', [b.plus(source, b.scalar(length)), b.scalar(length)], { fmod: int(1) });
    const x = b.read(`x/${name}`, [samples, ...dims]);
    const seen = rest.length === 0 ? gathered(b, x, place) : permuted(b, x, place, [samples, ...dims]);
    b.write(`seen/${name}`, fill === 'circular' ? seen : silenced(b, seen, source, length, rest), [samples, ...dims]);
  }
  return b.bytes('time-shift');
}

const gathered = (b: ProgramBuilder, x: string, place: string) =>
  b.op('GatherElements', [x, b.op('Cast', [place], { to: int(INT64) })], { axis: int(2) });

/** Few frames of many values: a product with the permutation of each sample. */
function permuted(b: ProgramBuilder, x: string, place: string, dims: readonly number[]): string {
  const [samples = 0, length = 0, ...rest] = dims;
  const size = rest.reduce((product, axis) => product * axis, 1);
  const frames = b.reshape(b.positions(length), [1, 1, 1, length]);
  const matches = b.op('Equal', [b.reshape(place, [-1, samples, length, 1]), frames]);
  const permutation = b.op('Cast', [matches], { to: int(1) });
  return b.reshape(b.matmul(permutation, b.reshape(x, [-1, samples, length, size])), [-1, ...dims]);
}

function silenced(b: ProgramBuilder, seen: string, source: string, length: number, rest: readonly number[]): string {
  const [zero, one] = [b.scalar(0), b.scalar(1)];
  const inside = b.op('And', [b.op('GreaterOrEqual', [source, zero]), b.op('Less', [source, b.scalar(length)])]);
  return b.times(seen, b.reshape(b.op('Where', [inside, one, zero]), [0, 0, 0, ...rest.map(() => 1)]));
}

/**
 * The margin of a point over shifted views, [examples], of a goal whose margin is made by `marginOf` from logits and targets: the larger of that of the point as it is and of the
 * mean over the shifted ones, so that what is reached is reached without a shift, too.
 */
export function shiftedMargin(b: ProgramBuilder, samples: number, marginOf: (rows: ProgramBuilder) => string): string {
  const all = b.reshape(marginOf(b), [-1, samples]);
  const own = b.reshape(b.slice(all, [0], [1], [1]), [-1]);
  return b.op('Max', [own, b.reduceMean(b.slice(all, [1], [samples], [1]), [1], false)]);
}

/** Builds step programs of sampled evaluations, which judge the first sample: the point as it is. */
export class FirstSampleBuilder extends ProgramBuilder {
  readonly #samples: number;
  #logits = '';

  constructor(samples: number) {
    super();
    this.#samples = samples;
  }

  override read(slot: string, dims: readonly number[] = []): string {
    if (slot !== 'logits') return super.read(slot, dims);
    if (this.#logits !== '') return this.#logits;
    const all = super.read('logits', [this.#samples, ...dims]);
    this.#logits = this.reshape(this.slice(all, [0], [1], [1]), [-1, ...dims]);
    return this.#logits;
  }
}
