import type { attack, victim } from '@faultline/contracts';
import { binFrequencyHz, cosineAtoms, hopOf } from '@faultline/metrics';
import type { BandRegion } from './band-region.ts';
import type { Faults } from './faults.ts';

/** Limits of a region, as the contract states them. */
const MAX_PARTS = 64;
const MAX_FRAMES = 1024;

/** The coordinates that a region frees, or the subspace that it confines perturbations to. */
export interface FreeRegion {
  readonly mask?: Float32Array | undefined;
  readonly band?: BandRegion | undefined;
}

/** A region in terms of one input, undefined where it has faults. `field`: its path in the request. */
export function checkRegion(
  region: attack.Region,
  input: victim.InputSpecification,
  field: string,
  faults: Faults,
): FreeRegion | undefined {
  const before = faults.violations.length;
  checkWindows(region.windows, `${field}.windows`, faults);
  if (input.kind?.$case === 'waveform') {
    const refuse = (holds: boolean, list: string) =>
      faults.unless(holds, `${field}.${list}`, `'${input.name}' is a waveform; use windows and bands`);
    refuse(region.frames.length === 0, 'frames');
    refuse(region.boxes.length === 0, 'boxes');
    checkBands(region.bands, `${field}.bands`, faults);
    if (faults.violations.length > before) return undefined;
    return freeWaveform(region, input.kind.value, field, faults);
  }
  if (input.kind?.$case !== 'frames') return {};
  const framed = region.bands.length === 0;
  faults.unless(framed, `${field}.bands`, `'${input.name}' holds frames; use windows, frames and boxes`);
  checkFrames(region.frames, input.kind.value.frames, `${field}.frames`, faults);
  checkBoxes(region.boxes, `${field}.boxes`, faults);
  if (faults.violations.length > before) return undefined;
  const mask = frameMask(region, input.kind.value);
  return freesAnything(mask, field, faults) ? { mask } : undefined;
}

function checkCount(count: number, most: number, field: string, faults: Faults): void {
  faults.unless(count <= most, field, `has ${count} entries; give at most ${most}`);
}

function checkWindows(windows: readonly attack.TimeWindow[], field: string, faults: Faults): void {
  checkCount(windows.length, MAX_PARTS, field, faults);
  for (const [index, { startSeconds, endSeconds }] of windows.entries()) {
    const fits = startSeconds >= 0 && endSeconds > startSeconds && Number.isFinite(endSeconds);
    const given = `is ${startSeconds} to ${endSeconds} s`;
    faults.unless(fits, `${field}[${index}]`, `${given}; give a start from 0 and an end after it`);
  }
}

function checkBands(bands: readonly attack.FrequencyBand[], field: string, faults: Faults): void {
  checkCount(bands.length, MAX_PARTS, field, faults);
  for (const [index, { lowHz, highHz }] of bands.entries()) {
    const fits = lowHz >= 0 && highHz > lowHz && Number.isFinite(highHz);
    faults.unless(
      fits,
      `${field}[${index}]`,
      `is ${lowHz} to ${highHz} Hz; give a low end from 0 and a high end above it`,
    );
  }
}

function checkFrames(frames: readonly number[], count: number, field: string, faults: Faults): void {
  checkCount(frames.length, MAX_FRAMES, field, faults);
  for (const [index, frame] of frames.entries()) {
    faults.unless(frame < count, `${field}[${index}]`, `is ${frame}; the input has frames 0 to ${count - 1}`);
  }
}

function checkBoxes(boxes: readonly attack.Box[], field: string, faults: Faults): void {
  checkCount(boxes.length, MAX_PARTS, field, faults);
  for (const [index, { left, top, right, bottom }] of boxes.entries()) {
    const fits = left >= 0 && right > left && right <= 1 && top >= 0 && bottom > top && bottom <= 1;
    const given = `is [${left}, ${right}] x [${top}, ${bottom}]`;
    const remedy = 'give fractions with 0 <= left < right <= 1 and 0 <= top < bottom <= 1';
    faults.unless(fits, `${field}[${index}]`, `${given}; ${remedy}`);
  }
}

function freesAnything(mask: Float32Array, field: string, faults: Faults): boolean {
  return faults.unless(mask.includes(1), field, 'frees nothing of this input; widen it, or leave the variable out');
}

const isInside = (windows: readonly attack.TimeWindow[], seconds: number) =>
  windows.length === 0 ||
  windows.some(({ startSeconds, endSeconds }) => seconds >= startSeconds && seconds < endSeconds);

/** 1 at the samples whose time lies in one of the windows, 0 elsewhere; 1 everywhere without windows. */
export function freeSamples(
  windows: readonly attack.TimeWindow[],
  { sampleRateHz, samples }: victim.WaveformSpecification,
): Float32Array {
  return Float32Array.from({ length: samples }, (_, sample) => (isInside(windows, sample / sampleRateHz) ? 1 : 0));
}

/** The bins whose frequency lies in one of the bands; all of them without bands. */
export function freeFrequencies(
  bands: readonly attack.FrequencyBand[],
  bins: readonly number[],
  hop: number,
  sampleRateHz: number,
): number[] {
  const isFree = (hz: number) => bands.length === 0 || bands.some(({ lowHz, highHz }) => hz >= lowHz && hz < highHz);
  return bins.filter((bin) => isFree(binFrequencyHz(bin, hop, sampleRateHz)));
}

function freeWaveform(
  { windows, bands }: attack.Region,
  { sampleRateHz, samples }: victim.WaveformSpecification,
  field: string,
  faults: Faults,
): FreeRegion | undefined {
  const mask = freeSamples(windows, { sampleRateHz, samples });
  if (!freesAnything(mask, field, faults)) return undefined;
  if (bands.length === 0) return { mask };
  const hop = hopOf(sampleRateHz);
  const bins = freeFrequencies(
    bands,
    Array.from({ length: hop }, (_, bin) => bin),
    hop,
    sampleRateHz,
  );
  const spacing = sampleRateHz / (2 * hop);
  if (bins.length === 0) {
    const remedy = `frequencies are ${spacing} Hz apart, up to ${sampleRateHz / 2} Hz: widen the bands`;
    faults.add(`${field}.bands`, `hold no frequency of this input; ${remedy}`);
    return undefined;
  }
  const positions = Math.floor(samples / hop) - 1;
  const free = Float32Array.from({ length: Math.max(0, positions) }, (_, position) =>
    mask.subarray(position * hop, (position + 2) * hop).includes(0) ? 0 : 1,
  );
  if (!free.includes(1)) {
    const needed = (2 * hop) / sampleRateHz;
    faults.add(field, `leaves no room for bands, which need windows of ${needed} s and more: widen the windows`);
    return undefined;
  }
  return { band: { hop, atoms: Float32Array.from(cosineAtoms(hop, bins)), bins: bins.length, positions, free } };
}

function frameMask({ windows, frames, boxes }: attack.Region, specification: victim.FramesSpecification): Float32Array {
  const { height, width, frameRateHz } = specification;
  const picture = Float32Array.from({ length: height * width }, (_, pixel) => {
    const [x, y] = [((pixel % width) + 0.5) / width, (Math.floor(pixel / width) + 0.5) / height];
    const isFree = boxes.some(({ left, top, right, bottom }) => x >= left && x < right && y >= top && y < bottom);
    return boxes.length === 0 || isFree ? 1 : 0;
  });
  const channels = 3;
  const mask = new Float32Array(specification.frames * channels * picture.length);
  for (let frame = 0; frame < specification.frames; frame += 1) {
    if (frames.length > 0 && !frames.includes(frame)) continue;
    if (!isInside(windows, frame / frameRateHz)) continue;
    for (let channel = 0; channel < channels; channel += 1) {
      mask.set(picture, (frame * channels + channel) * picture.length);
    }
  }
  return mask;
}
