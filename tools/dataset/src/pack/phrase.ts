import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeAudioFile } from '@faultline/media';
import { SAMPLE_RATE_HZ } from '../decode.ts';
import { randomNotes } from './midi.ts';
import type { PhraseOrigin } from './origin.ts';
import { runProgram } from './run-program.ts';

const WINDOWS = 12;
const WINDOW_SECONDS = 2;
const RENDER_RATE_HZ = '44100';
/** So that chords of loud presets do not clip. */
const GAIN = '0.4';

/** All windows of a preset as one waveform at 16 kHz. @param root where the package's members lie */
export async function playPhrase(phrase: PhraseOrigin, root: string): Promise<Float32Array> {
  const { seed, instrument } = phrase;
  const folder = join(root, 'phrases');
  await mkdir(folder, { recursive: true });
  const stem = join(folder, seed.replaceAll(/\W/g, '-'));
  await writeFile(`${stem}.mid`, randomNotes(phrase, WINDOWS * WINDOW_SECONDS));
  const member = join(root, instrument.member);
  const [notes, sound] = [`${stem}.mid`, `${stem}.wav`];
  if (instrument.synthesiser === 'fluidsynth') {
    await runProgram('fluidsynth', ['-n', '-i', '-q', '-g', GAIN, '-r', RENDER_RATE_HZ, '-F', sound, member, notes]);
  } else {
    const text = await readFile(member, 'utf8');
    // The package's configuration names its patches by where they would be installed.
    const own = text.replaceAll(/^dir .*$/gm, '');
    await writeFile(`${stem}.cfg`, `dir ${join(root, instrument.patches ?? '')}\n${own}`);
    await runProgram('timidity', ['-c', `${stem}.cfg`, '-s', RENDER_RATE_HZ, '-Ow', '-o', sound, notes]);
  }
  return decodeAudioFile({ path: sound });
}

/** Two seconds of a preset's waveform. */
export function windowOf(waveform: Float32Array, window: number): Float32Array {
  const samples = WINDOW_SECONDS * SAMPLE_RATE_HZ;
  return waveform.subarray(window * samples, (window + 1) * samples);
}
