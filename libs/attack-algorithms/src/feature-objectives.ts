import { elementCount } from '@faultline/contracts';
import type { TapDescription } from '@faultline/victim';
import { ProgramBuilder } from './program-builder.ts';

/** Keeps cosines finite where a feature is zero. */
const SMALLEST_LENGTH = 1e-12;

/** A tap's value as rows [rows, features], a row an example, or an example's sample. */
function features(b: ProgramBuilder, { name, dims }: TapDescription, samples: number): string {
  const value = b.read(`tap/${name}`, samples === 1 ? dims : [samples, ...dims]);
  return b.reshape(value, [-1, elementCount(dims)]);
}

const product = (b: ProgramBuilder, left: string, right: string) => b.reduceSum(b.times(left, right), [1], false);

/** Cosine of two taps of equal size, [rows]. */
function cosine(b: ProgramBuilder, left: string, right: string): string {
  const squares = b.times(product(b, left, left), product(b, right, right));
  const lengths = b.op('Max', [b.op('Sqrt', [squares]), b.scalar(SMALLEST_LENGTH)]);
  return b.over(product(b, left, right), lengths);
}

/** Mean over features of the squared distance from the mean over samples, relative to the mean square of the features, [rows]. */
function deviation(b: ProgramBuilder, rows: string, tap: TapDescription, samples: number): string {
  const size = elementCount(tap.dims);
  const each = b.reshape(rows, [-1, samples, size]);
  const centred = b.minus(each, b.reduceMean(each, [1]));
  const power = b.plus(b.reduceMean(b.times(each, each), [1, 2]), b.scalar(SMALLEST_LENGTH));
  return b.reshape(b.over(b.reduceMean(b.times(centred, centred), [2]), power), [-1]);
}

/** What feature-space attacks minimise. */
export interface FeatureObjective {
  /** Taps whose cosine is minimised; both or none. */
  readonly misaligned?: readonly [TapDescription, TapDescription] | undefined;
  /** Taps whose variance over samples is minimised, with this weight. */
  readonly invariant?: { readonly taps: readonly TapDescription[]; readonly weight: number } | undefined;
  /** Evaluations of each example. */
  readonly samples: number;
}

/** Objective program: the cosine of two taps plus the weighted variance of taps over samples, [examples] or [examples, samples]. */
export function featureObjective({ misaligned, invariant, samples }: FeatureObjective): Uint8Array {
  const b = new ProgramBuilder();
  const rows = new Map<string, string>();
  const read = (tap: TapDescription) => {
    const known = rows.get(tap.name) ?? features(b, tap, samples);
    rows.set(tap.name, known);
    return known;
  };
  const terms: string[] = [];
  if (misaligned !== undefined) terms.push(cosine(b, read(misaligned[0]), read(misaligned[1])));
  for (const tap of invariant?.taps ?? []) {
    terms.push(b.times(deviation(b, read(tap), tap, samples), b.scalar(invariant?.weight ?? 0)));
  }
  const loss = terms.reduce((sum, term) => b.plus(sum, term));
  if (samples === 1) b.write('loss', loss);
  else b.write('loss', b.reshape(loss, [-1, samples]), [samples]);
  return b.bytes('features');
}
