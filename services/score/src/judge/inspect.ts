import { leavesRegion } from '@faultline/attack-algorithms';
import type { attack } from '@faultline/contracts';
import {
  firstOutside,
  gatedLoudness,
  peakSignalToNoiseDb,
  perturbationNorms,
  perturbationSize,
  referenceSize,
  signalToNoiseDb,
  ungatedLoudness,
} from '@faultline/metrics';
import { budgetMeasure, rhoOn, valueRange, variableSubject } from '@faultline/victim';
import { type ClipInputs, toFloat32 } from '../peers/tensor-rows.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';

/** One adversarial point that an attack returned; nothing about it is believed yet. */
export interface Candidate {
  /** Index in the threat model's ladder; undefined: found by a search. */
  readonly rung: number | undefined;
  /** Index in the campaign's clips. */
  readonly clip: number;
  /** Adversarial values of the attacked variables. */
  readonly adversarial: ReadonlyMap<string, Float32Array>;
  /** Margin that the attack claims. */
  readonly believedMargin: number;
}

/** Size of a candidate's perturbation of one variable, float64. */
export interface Measured {
  /** As the variable's budget measures it, in the unit of its rho: of a relative budget, a share of the clean value's size. */
  readonly norm: number;
  /** L2 / sqrt(number of coordinates). */
  readonly rootMeanSquare: number;
  /** SNR (waveform, taps) or PSNR (frames); null without a perturbation. */
  readonly decibels: number | null;
  /** Loudness of the perturbation (waveform) as a whole, LKFS; null for all else and without a perturbation. */
  readonly loudness: number | null;
  /** Programme loudness of the clean waveform, LKFS; null for all else and where nothing passes the gates. */
  readonly cleanLoudness: number | null;
}

/** What the tensors of a candidate say by themselves, before any prediction. */
export interface Inspection {
  readonly measured: ReadonlyMap<string, Measured>;
  /** The budget at which it counts: its rung's scale; of a search the largest norm / rho of its variables. */
  readonly scale: number;
  readonly rejection: 'over-budget' | 'out-of-range' | 'outside-region' | undefined;
}

/** Taps have no range: every finite number is allowed. */
const FINITE = { low: -Number.MAX_VALUE, high: Number.MAX_VALUE } as const;

/**
 * Measures a candidate against its clean clip and its budget: every variable's float64 norm must not exceed scale x rho (of a search: the bound x rho),
 * every value must be a number in the variable's range, and nothing may change outside its region.
 * @param clean inputs, and clean values of attacked taps.
 * @throws RangeError when a variable is missing or has another size than its clean point.
 */
export function inspectCandidate(
  candidate: Candidate,
  clean: ClipInputs,
  threatModel: attack.ThreatModel,
  victim: VictimUnderTest,
): Inspection {
  const { rungs, maxScale = Number.POSITIVE_INFINITY } = threatModel;
  const largest = candidate.rung === undefined ? maxScale : (rungs[candidate.rung]?.scale ?? Number.NaN);
  const scales: number[] = [];
  const measured = new Map<string, Measured>();
  let rejection: Inspection['rejection'];
  for (const budget of threatModel.variables) {
    const { variable, rho, region } = budget;
    const subject = variableSubject(victim.card, variable);
    const point = candidate.adversarial.get(variable);
    const cleanRow = clean.get(variable);
    if (subject === undefined || point === undefined || cleanRow === undefined) {
      throw new RangeError(`the attack returned no tensor for variable '${variable}'`);
    }
    const cleanPoint = toFloat32(cleanRow.data);
    const norms = perturbationNorms(point, cleanPoint);
    const input = subject.kind === 'input' ? subject.input : undefined;
    const measure = budgetMeasure(threatModel, budget, input);
    const size = perturbationSize(point, cleanPoint, measure);
    const largestSize = largest * rhoOn(budget, measure.norm, cleanPoint);
    // Where the clean value is all zeros no perturbation is a share of it.
    const norm = budget.relative && size > 0 ? size / referenceSize(cleanPoint, measure.norm) : size;
    const sound = input?.kind?.$case === 'waveform' ? input.kind.value : undefined;
    const toDecibels = input?.kind?.$case === 'frames' ? peakSignalToNoiseDb : signalToNoiseDb;
    measured.set(variable, {
      norm,
      rootMeanSquare: norms.l2 / Math.sqrt(point.length),
      decibels: toDecibels(point, cleanPoint),
      cleanLoudness: sound === undefined ? null : gatedLoudness(cleanPoint, sound.sampleRateHz),
      loudness: sound === undefined ? null : ungatedLoudness(difference(point, cleanPoint), sound.sampleRateHz),
    });
    const range = input === undefined ? FINITE : valueRange(input);
    const { low = range.low, high = range.high } = budget;
    if (firstOutside(point, low, high, cleanPoint) !== undefined) rejection = 'out-of-range';
    else if (!(size <= largestSize)) rejection ??= 'over-budget';
    else if (region !== undefined && input !== undefined && leavesRegion(region, input, point, cleanPoint))
      rejection ??= 'outside-region';
    scales.push(norm / rho);
  }
  return { measured, scale: candidate.rung === undefined ? Math.max(...scales) : largest, rejection };
}

const difference = (point: Float32Array, clean: Float32Array) =>
  Float64Array.from(point, (value, index) => value - (clean[index] ?? Number.NaN));
