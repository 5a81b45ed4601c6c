import { SAMPLE_RATE_HZ } from './decode.ts';
import { SCENE_SECONDS, type Scene } from './scene.ts';
import type { SoundPlacement } from './sound-placement.ts';
import type { Sources } from './sources.ts';

export const SCENE_SAMPLES = SCENE_SECONDS * SAMPLE_RATE_HZ;
const INT16_SCALE = 1 / 32_768;
/** 5 ms, so that a cut does not click. */
const FADE_SAMPLES = 80;
/** 20 ms. */
const LEVEL_FRAME_SAMPLES = 320;
/** Frames within 20 dB of the loudest count as sounding. */
const SOUNDING_POWER_RATIO = 0.01;
/** Loud peaks are kept below full scale by lowering the whole clip, never by clipping. */
const PEAK_LIMIT = 0.95;
/** Energy of start candidates is estimated on every n-th sample. */
const ENERGY_STRIDE = 16;

export interface RenderedSound {
  /** `[32000]`, amplitude in [-1, 1]. */
  readonly waveform: Float32Array<ArrayBuffer>;
  /** For each event its loudness over time, or undefined for an event that is only seen. */
  readonly envelopes: readonly (Float32Array | undefined)[];
}

/** Mixes the events of a scene over its ambience. */
export function renderSound(sources: Sources, scene: Scene): RenderedSound {
  const waveform = new Float32Array(SCENE_SAMPLES);
  const envelopes = scene.events.map(({ sound }) => {
    if (sound === undefined) return undefined;
    const track = layTrack(sources.sound(sound.id), sound);
    const powers = framePowers(track);
    const level = Math.sqrt(soundingPower(powers));
    addScaled(waveform, track, amplitude(scene.levelDb + sound.relativeDb) / Math.max(level, INT16_SCALE));
    return loudness(powers);
  });
  const noise = loopFrom(sources.sound(scene.noise.id), scene.noise.start);
  const noiseLevel = Math.sqrt(meanPower(noise));
  addScaled(waveform, noise, amplitude(scene.levelDb - scene.snrDb) / Math.max(noiseLevel, INT16_SCALE));
  limitPeak(waveform);
  return { waveform, envelopes };
}

/** Loudness at a time in seconds, in [0, 1]. */
export function loudnessAt(envelope: Float32Array, seconds: number): number {
  const at = Math.floor((seconds * SAMPLE_RATE_HZ) / LEVEL_FRAME_SAMPLES);
  return envelope[Math.min(envelope.length - 1, Math.max(0, at))] ?? 0;
}

function amplitude(decibels: number): number {
  return 10 ** (decibels / 20);
}

/** The sound from its onset, repeated after pauses when it is shorter than the clip. */
function layTrack(source: Int16Array, placement: SoundPlacement): Float32Array {
  const track = new Float32Array(SCENE_SAMPLES);
  const onset = Math.round(placement.onsetSeconds * SAMPLE_RATE_HZ);
  const pause = Math.round(placement.pauseSeconds * SAMPLE_RATE_HZ);
  const playable = Math.floor((source.length - 1) / placement.rate);
  if (playable >= SCENE_SAMPLES - onset) {
    const needed = Math.ceil((SCENE_SAMPLES - onset) * placement.rate) + 1;
    const start = loudestStart(source, placement.starts, Math.min(needed, source.length));
    play(track, onset, source, start, placement.rate);
  } else {
    for (let at = onset; at < SCENE_SAMPLES; at += playable + pause) play(track, at, source, 0, placement.rate);
  }
  return placement.echoes.length > 0 ? withEchoes(track, placement.echoes) : track;
}

/** Linear interpolation: at ratios this close to 1 its error is far below the ambience. */
function play(track: Float32Array, at: number, source: Int16Array, start: number, rate: number): void {
  const count = Math.min(track.length - at, Math.floor((source.length - 1 - start) / rate));
  const fadesOut = at + count < track.length;
  for (let step = 0; step < count; step++) {
    const place = start + step * rate;
    const index = Math.floor(place);
    const here = source[index] ?? 0;
    const next = source[index + 1] ?? 0;
    let value = (here + (next - here) * (place - index)) * INT16_SCALE;
    if (step < FADE_SAMPLES) value *= step / FADE_SAMPLES;
    if (fadesOut && count - step < FADE_SAMPLES) value *= (count - step) / FADE_SAMPLES;
    track[at + step] = value;
  }
}

function loudestStart(source: Int16Array, starts: readonly number[], needed: number): number {
  let best = 0;
  let bestEnergy = -1;
  for (const share of starts) {
    const start = Math.floor(share * (source.length - needed));
    let energy = 0;
    for (let at = start; at < start + needed; at += ENERGY_STRIDE) energy += (source[at] ?? 0) ** 2;
    if (energy > bestEnergy) {
      best = start;
      bestEnergy = energy;
    }
  }
  return best;
}

function withEchoes(dry: Float32Array, echoes: SoundPlacement['echoes']): Float32Array {
  const wet = dry.slice();
  for (const { seconds, gain } of echoes) {
    const delay = Math.round(seconds * SAMPLE_RATE_HZ);
    for (let at = delay; at < wet.length; at++) wet[at] = (wet[at] ?? 0) + gain * (dry[at - delay] ?? 0);
  }
  return wet;
}

function loopFrom(source: Int16Array, startShare: number): Float32Array {
  const track = new Float32Array(SCENE_SAMPLES);
  // A source that is long enough is not wrapped around.
  const room = source.length > SCENE_SAMPLES ? source.length - SCENE_SAMPLES : source.length;
  let place = Math.floor(startShare * room);
  for (let at = 0; at < SCENE_SAMPLES; at++) {
    track[at] = (source[place] ?? 0) * INT16_SCALE;
    place = place + 1 < source.length ? place + 1 : 0;
  }
  return track;
}

function framePowers(track: Float32Array): Float64Array {
  const powers = new Float64Array(SCENE_SAMPLES / LEVEL_FRAME_SAMPLES);
  for (let frame = 0; frame < powers.length; frame++) {
    powers[frame] = meanPower(track.subarray(frame * LEVEL_FRAME_SAMPLES, (frame + 1) * LEVEL_FRAME_SAMPLES));
  }
  return powers;
}

function meanPower(track: Float32Array): number {
  let sum = 0;
  for (let at = 0; at < track.length; at++) sum += (track[at] ?? 0) ** 2;
  return sum / track.length;
}

function soundingPower(powers: Float64Array): number {
  const floor = SOUNDING_POWER_RATIO * powers.reduce((loudest, power) => Math.max(loudest, power), 0);
  const sounding = powers.filter((power) => power > floor);
  return sounding.length === 0 ? 0 : sounding.reduce((sum, power) => sum + power, 0) / sounding.length;
}

function loudness(powers: Float64Array): Float32Array {
  const loudest = powers.reduce((most, power) => Math.max(most, power), Number.MIN_VALUE);
  return Float32Array.from(powers, (power) => Math.sqrt(power / loudest));
}

function addScaled(target: Float32Array, track: Float32Array, gain: number): void {
  for (let at = 0; at < target.length; at++) target[at] = (target[at] ?? 0) + gain * (track[at] ?? 0);
}

function limitPeak(waveform: Float32Array): void {
  let peak = 0;
  for (let at = 0; at < waveform.length; at++) peak = Math.max(peak, Math.abs(waveform[at] ?? 0));
  if (peak <= PEAK_LIMIT) return;
  const gain = PEAK_LIMIT / peak;
  for (let at = 0; at < waveform.length; at++) waveform[at] = (waveform[at] ?? 0) * gain;
}
