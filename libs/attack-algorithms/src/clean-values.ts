import { elementCount, joinRows, sliceRows, type victim } from '@faultline/contracts';
import { type Cost, rhoOn, type Tensors, type Victim } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import { checkTapValues } from './check-batch.ts';
import { TAP_LIMIT } from './check-tap-budget.ts';
import { AttackRequestError, Faults } from './faults.ts';
import type { ScaledVariable } from './minimum-norm.ts';
import type { AttackRun, CheckedRun } from './request.ts';

/** Clips whose taps are read at once. */
const CLIPS_A_READING = 32;

/** rho where a clean value is all zeros, so that no share of it is anything: nothing that a float32 program can tell from 0, and still no division by 0. */
const NO_SIZE = 1e-30;

/** One clip of a variable as it was given: an input, or the clean value of a tap. */
export function cleanSlice(
  { name, dims }: Pick<AttackVariable, 'name' | 'dims'>,
  clip: number,
  { inputs, taps }: Pick<AttackRun, 'inputs' | 'taps'>,
): Float32Array | Uint8Array {
  const data = (inputs.get(name) ?? taps?.get(name))?.data;
  const size = elementCount(dims);
  if (data instanceof Float32Array || data instanceof Uint8Array) return data.subarray(clip * size, (clip + 1) * size);
  throw new TypeError(`'${name}' is neither float32 nor uint8`);
}

/** One clip of a variable as the victim sees it. */
export function cleanRow(
  variable: Pick<AttackVariable, 'name' | 'dims'>,
  clip: number,
  run: Pick<AttackRun, 'inputs' | 'taps'>,
): Float32Array {
  const values = cleanSlice(variable, clip, run);
  return values instanceof Float32Array ? values : Float32Array.from(values, (pixel) => pixel / 255);
}

/** Whether budgets or steps of a variable differ from clip to clip. */
export const isOwnOfClip = ({ isRelative, isTap }: ScaledVariable): boolean => isRelative === true || isTap === true;

/** A checked run as it is on one clip: shares of clean values as sizes, and of taps the spread of the clean value as the width. */
export function checkedOn(clip: number, run: AttackRun, checked: CheckedRun): CheckedRun {
  if (!checked.variables.some(isOwnOfClip)) return checked;
  const variables = checked.variables.map((variable) => {
    if (!isOwnOfClip(variable)) return variable;
    const clean = cleanRow(variable, clip, run);
    const { rho, isRelative = false, isTap = false, norm = checked.norm } = variable;
    const size = rhoOn({ rho, relative: isRelative }, norm, clean);
    return { ...variable, rho: Math.max(NO_SIZE, size), width: isTap ? spreadOf(clean) : undefined };
  });
  return { ...checked, variables };
}

/** Largest minus smallest value; 1 where all are the same. */
function spreadOf(values: Float32Array): number {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high > low ? high - low : 1;
}

/** A run that knows the clean value of every tap that it attacks, and what reading them cost. */
export interface KnownRun {
  readonly run: AttackRun;
  readonly cost: Cost;
}

/**
 * Reads the clean values of attacked taps that the caller did not give.
 * @throws AttackRequestError where one is not a number, or beyond what programs can hold
 */
export async function withCleanTaps(
  victimUnderAttack: Victim,
  run: AttackRun,
  { variables, clips }: CheckedRun,
  card: victim.Card,
  signal: AbortSignal | undefined,
): Promise<KnownRun> {
  const missing = variables.filter(({ name, isTap }) => isTap === true && run.taps?.has(name) !== true);
  let cost: Cost = { forwardExamples: 0, gradientExamples: 0 };
  if (missing.length === 0) return { run, cost };
  const names = missing.map(({ name }) => name);
  const readings: Tensors[] = [];
  for (let from = 0; from < clips; from += CLIPS_A_READING) {
    const to = Math.min(clips, from + CLIPS_A_READING);
    const inputs = new Map(
      card.inputs.flatMap(({ name }) => {
        const tensor = run.inputs.get(name);
        return tensor === undefined ? [] : [[name, sliceRows(tensor, from, to)] as const];
      }),
    );
    const reading = await victimUnderAttack.predict(inputs, { taps: names, signal });
    readings.push(reading.taps);
    cost = { ...cost, forwardExamples: cost.forwardExamples + reading.cost.forwardExamples };
  }
  const read = names.map((name) => [name, joinRows(readings.flatMap((one) => one.get(name) ?? []))] as const);
  const faults = new Faults();
  checkTapValues(new Map(read), variables, clips, faults);
  if (faults.any) throw new AttackRequestError(faults.violations);
  return { run: { ...run, taps: new Map([...(run.taps ?? []), ...read]) }, cost };
}

/** The size that a search at a tap looks up to where nobody bounds it: so many times the clean value's. */
const TAP_REACH = 10;

/** The values that a variable may be moved by on a clip, at most: to the farther end of the range; of a tap, ten times its clean value. */
export function reachOf({ low, high, isTap }: AttackVariable, clean: Float32Array): Float32Array {
  if (isTap === true) return clean.map((value) => Math.min(TAP_LIMIT, TAP_REACH * Math.abs(value)));
  return Float32Array.from(clean, (value) => Math.max(value - low, high - value));
}
