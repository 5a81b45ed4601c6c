import type { DenseTensor } from '@faultline/contracts';
import type { BandRegion } from './band-region.ts';
import type { ProgramBuilder } from './program-builder.ts';

const atomsName = (variable: string) => `band/atoms/${variable}`;
const freeName = (variable: string) => `band/free/${variable}`;

/** The constants that `confineToBand` reads. */
export function* bandConstants(variable: string, band: BandRegion): Generator<readonly [string, DenseTensor]> {
  yield [atomsName(variable), { dims: [2 * band.hop, band.bins], data: band.atoms }];
  yield [freeName(variable), { dims: [1, band.positions, 1], data: band.free }];
}

/**
 * The orthogonal projection of waveforms [examples, samples] onto a band: the coefficient of each free atom, and the sum of the atoms with
 * these coefficients. `dims` is [samples].
 */
export function confineToBand(
  b: ProgramBuilder,
  value: string,
  variable: string,
  { hop, bins, positions }: BandRegion,
  dims: readonly number[],
): string {
  const [samples = 0] = dims;
  const covered = (positions + 1) * hop;
  const slice = (from: string, axis: number, first: number, end: number) => b.slice(from, [first], [end], [axis]);

  const atoms = b.constantSlot(atomsName(variable), [2 * hop, bins]);
  const free = b.constantSlot(freeName(variable), [1, positions, 1]);
  const blocks = b.reshape(slice(value, 1, 0, covered), [-1, positions + 1, hop]);
  const stretches = b.concat([slice(blocks, 1, 0, positions), slice(blocks, 1, 1, positions + 1)], 2);
  const coefficients = b.times(b.matmul(stretches, atoms), free);
  const sums = b.matmul(coefficients, b.transpose(atoms, [1, 0]));
  const silence = b.times(slice(blocks, 1, 0, 1), b.scalar(0));
  const firstHalves = b.concat([slice(sums, 2, 0, hop), silence], 1);
  const secondHalves = b.concat([silence, slice(sums, 2, hop, 2 * hop)], 1);
  const sum = b.reshape(b.plus(firstHalves, secondHalves), [-1, covered]);
  if (covered === samples) return sum;
  return b.concat([sum, b.times(slice(value, 1, covered, samples), b.scalar(0))], 1);
}
