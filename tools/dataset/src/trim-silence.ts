/** 10 ms at 16 kHz. */
const FRAME_SAMPLES = 160;
/** Frames quieter than this, relative to the loudest one, count as silence at either end (-40 dB in power). */
const SILENCE_POWER_RATIO = 1e-4;
const MARGIN_FRAMES = 2;

/** The sound without silence at its ends; interior pauses stay. */
export function trimmed(samples: Int16Array): Int16Array {
  const frames = Math.ceil(samples.length / FRAME_SAMPLES);
  const power = new Float64Array(frames);
  for (let at = 0; at < samples.length; at++) {
    power[Math.floor(at / FRAME_SAMPLES)] = (power[Math.floor(at / FRAME_SAMPLES)] ?? 0) + (samples[at] ?? 0) ** 2;
  }
  const floor = SILENCE_POWER_RATIO * power.reduce((loudest, value) => Math.max(loudest, value), 0);
  const first = power.findIndex((value) => value > floor);
  if (first < 0) return samples.subarray(0, 0);
  const last = power.findLastIndex((value) => value > floor);
  const from = Math.max(0, first - MARGIN_FRAMES) * FRAME_SAMPLES;
  return samples.subarray(from, (last + 1 + MARGIN_FRAMES) * FRAME_SAMPLES);
}
