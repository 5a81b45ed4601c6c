import { Random } from '../random.ts';
import type { PhraseOrigin } from './origin.ts';

// Standard MIDI file, format 0. Source: MIDI 1.0, RP-001.

/** At the default tempo of 120 quarter notes a minute. */
const TICKS_PER_QUARTER = 480;
const TICKS_PER_SECOND = 2 * TICKS_PER_QUARTER;
const DRUM_CHANNEL = 9;
const NOTE_OFF = 0x80;
const NOTE_ON = 0x90;
const PROGRAM_CHANGE = 0xc0;
const END_OF_TRACK = [0xff, 0x2f, 0];
/** What guitars and brass have in common. */
const PITCHES = [45, 72] as const;
/** General MIDI's drums from the bass drum to the ride cymbal. */
const DRUMS = [35, 52] as const;
const NOTE_SECONDS = [0.15, 0.7] as const;
const VELOCITIES = [70, 120] as const;

interface TimedEvent {
  readonly tick: number;
  readonly bytes: readonly number[];
}

/** Random notes of a preset, one after the other, as a MIDI file. */
export function randomNotes(
  { seed, program, drums }: Pick<PhraseOrigin, 'seed' | 'program' | 'drums'>,
  seconds: number,
) {
  const random = new Random(`notes/${seed}`);
  const channel = drums ? DRUM_CHANNEL : 0;
  const [lowest, highest] = drums ? DRUMS : PITCHES;
  const events: TimedEvent[] = [{ tick: 0, bytes: [PROGRAM_CHANGE | channel, program] }];
  for (let at = 0; at < seconds; ) {
    const length = random.between(...NOTE_SECONDS);
    const pitch = lowest + random.below(highest - lowest + 1);
    const velocity = Math.floor(random.between(...VELOCITIES));
    events.push({ tick: Math.round(at * TICKS_PER_SECOND), bytes: [NOTE_ON | channel, pitch, velocity] });
    at += length;
    events.push({ tick: Math.round(at * TICKS_PER_SECOND), bytes: [NOTE_OFF | channel, pitch, 0] });
  }
  return midiFile(events);
}

function midiFile(events: readonly TimedEvent[]): Buffer {
  let before = 0;
  const track = events.flatMap(({ tick, bytes }) => {
    const delta = variableLength(tick - before);
    before = tick;
    return [...delta, ...bytes];
  });
  const content = Buffer.from([...track, 0, ...END_OF_TRACK]);
  const head = Buffer.alloc(22);
  head.write('MThd', 0, 'latin1');
  head.writeUInt32BE(6, 4);
  head.writeUInt16BE(1, 10);
  head.writeUInt16BE(TICKS_PER_QUARTER, 12);
  head.write('MTrk', 14, 'latin1');
  head.writeUInt32BE(content.length, 18);
  return Buffer.concat([head, content]);
}

/** Seven bits a byte, the highest first; all but the last are marked. */
function variableLength(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let left = value >> 7; left > 0; left >>= 7) bytes.unshift((left & 0x7f) | 0x80);
  return bytes;
}
