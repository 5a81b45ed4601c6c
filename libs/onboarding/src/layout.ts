import type { GraphBuilder } from '@faultline/onnx';
import { OnboardingError } from './onboarding-error.ts';

/** Sizes of one example's axes by letter: S samples; T time steps or frames; F bands; C channels; H rows; W columns. */
export type AxisSizes = Readonly<Record<string, number>>;

/**
 * Throws OnboardingError unless a layout names the batch (N) and each axis once; `1` is an axis of size 1, and an axis of size 1 may be left out.
 * @param sizes axes in their canonical order, without the batch
 */
export function checkLayout(layout: string, sizes: AxisSizes, field: string): void {
  const letters = [...layout].filter((letter) => letter !== '1');
  const fail = (problem: string) => {
    const axes = Object.keys(sizes).join(', ');
    return new OnboardingError(
      `--set ${field}=${layout}: ${problem}; write N for the batch, ${axes}, and 1 for an axis of size 1`,
    );
  };
  const unknown = letters.find((letter) => letter !== 'N' && !(letter in sizes));
  if (unknown !== undefined) throw fail(`'${unknown}' is no axis here`);
  if (new Set(letters).size !== letters.length) throw fail('an axis is named twice');
  if (!letters.includes('N')) throw fail('the batch N is missing');
  const lost = Object.entries(sizes).find(([letter, size]) => size !== 1 && !letters.includes(letter));
  if (lost !== undefined) throw fail(`${lost[0]}, of size ${lost[1]}, is missing`);
}

/** Puts a value of canonical axes [N, ...sizes] into a layout. */
export function toLayout(b: GraphBuilder, value: string, sizes: AxisSizes, layout: string): string {
  const letters = [...layout].filter((letter) => letter !== '1');
  const kept = ['N', ...Object.keys(sizes).filter((letter) => letters.includes(letter))];
  const sizeOf = (letter: string) => (letter === 'N' ? -1 : letter === '1' ? 1 : (sizes[letter] ?? 1));
  let shaped = value;
  if (kept.length !== Object.keys(sizes).length + 1) shaped = b.reshape(shaped, kept.map(sizeOf));
  const perm = letters.map((letter) => kept.indexOf(letter));
  if (perm.some((axis, position) => axis !== position)) shaped = b.transpose(shaped, perm);
  if (letters.length !== layout.length) shaped = b.reshape(shaped, [...layout].map(sizeOf));
  return shaped;
}
