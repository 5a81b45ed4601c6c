import type { Random } from './random.ts';

/** How a source's sound is laid into a clip. */
export interface SoundPlacement {
  readonly onsetSeconds: number;
  /** For sources longer than the clip: candidates for where to start, as shares of what is left over. The loudest is used. */
  readonly starts: readonly number[];
  /** Playback speed; 2 is an octave higher. */
  readonly rate: number;
  /** Pause before a short sound repeats. */
  readonly pauseSeconds: number;
  /** Level relative to the first event. */
  readonly relativeDb: number;
  /** Early reflections: seconds after the direct sound, and amplitude. */
  readonly echoes: readonly { readonly seconds: number; readonly gain: number }[];
}

const LATEST_ONSET_SECONDS = 0.8;
const IMMEDIATE_SHARE = 0.35;
const PAUSE_SECONDS = [0.05, 0.6] as const;
const START_CANDIDATES = 3;
const PITCH_SEMITONES = 2;
/** Further shifts make voices implausible. */
const SPEECH_PITCH_SEMITONES = 1;
const SEMITONES_PER_OCTAVE = 12;
const REVERBERANT_SHARE = 0.35;
const ECHO_COUNT = 8;
const ECHO_SECONDS = [0.004, 0.12] as const;
const ECHO_GAIN = 0.35;
const ECHO_DECAY_SECONDS = 0.05;

export function drawSoundPlacement(
  label: string,
  relativeDb: number,
  augment: boolean,
  random: Random,
): SoundPlacement {
  const semitones = label === 'speech' ? SPEECH_PITCH_SEMITONES : PITCH_SEMITONES;
  const shift = random.between(-semitones, semitones);
  return {
    onsetSeconds: random.chance(IMMEDIATE_SHARE) ? 0 : random.between(0, LATEST_ONSET_SECONDS),
    starts: Array.from({ length: START_CANDIDATES }, () => random.next()),
    rate: augment ? 2 ** (shift / SEMITONES_PER_OCTAVE) : 1,
    pauseSeconds: random.between(...PAUSE_SECONDS),
    relativeDb,
    echoes: augment && random.chance(REVERBERANT_SHARE) ? drawEchoes(random) : [],
  };
}

function drawEchoes(random: Random): { seconds: number; gain: number }[] {
  return Array.from({ length: ECHO_COUNT }, () => {
    const seconds = random.between(...ECHO_SECONDS);
    const sign = random.chance(0.5) ? 1 : -1;
    return { seconds, gain: sign * ECHO_GAIN * Math.exp(-seconds / ECHO_DECAY_SECONDS) };
  });
}
