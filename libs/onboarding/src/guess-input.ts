import type { Dimension, ValueInfo } from '@faultline/onnx';

export const ROLES = ['waveform', 'log-mel', 'frames', 'constant'] as const;
export type RoleName = (typeof ROLES)[number];

/** What an input looks like, by its shape, type and name. */
export interface InputGuess {
  readonly role: RoleName | undefined;
  readonly layout: string | undefined;
  readonly why: string;
  /** The shape leaves no other reading. */
  readonly certain: boolean;
}

/** Numbers of bands that mel front ends use. */
const MEL_BANDS = new Set([32, 40, 64, 80, 96, 128, 229]);
/** Shorter sounds than this are rather features than samples. */
const LEAST_SAMPLES = 160;
const SOUND_NAME = /wav|audio|pcm|speech|sound|signal|sample|^input$|^x$/i;
const STATE_NAME = /^(h|c|hn|cn|state|hidden|cell|h0|c0|h_0|c_0)$|state|hidden|context/i;
const SPECTRUM_NAME = /mel|spec|fbank|feature|audio/i;

const shown = (dims: readonly Dimension[]) => `[${dims.map((size) => (size === '' ? '?' : size)).join(', ')}]`;
const isOpen = (size: Dimension | undefined) => typeof size === 'string';
/** Whether an axis may be the batch. */
const mayBeBatch = (size: Dimension | undefined) => isOpen(size) || size === 1;

const guess = (role: RoleName, layout: string | undefined, why: string, certain = false): InputGuess => ({
  role,
  layout,
  why,
  certain,
});
const unknown = (why: string): InputGuess => ({ role: undefined, layout: undefined, why, certain: false });

/** Guesses what an input is; the person decides. */
export function guessInput({ name, dataType, dims }: ValueInfo): InputGuess {
  if (dims === undefined) return unknown('Its shape is not declared.');
  const shape = `Its shape is ${shown(dims)}`;
  if (dataType !== 'float32' && dataType !== 'unknown' && dataType !== 'uint8' && dataType !== 'float16')
    return guess('constant', undefined, `It is ${dataType}, so neither sound nor picture.`, true);
  if (dims.length === 0) return guess('constant', undefined, 'It is a single number.', true);
  if (dims.length < 4 && STATE_NAME.test(name))
    return guess('constant', undefined, `'${name}' is the name of a state.`);
  switch (dims.length) {
    case 2:
      return guessFlat(dims, name, shape);
    case 3:
      return guessSequence(dims, name, shape);
    case 4:
      return guessPlane(dims, name, shape);
    case 5:
      return guessVolume(dims, shape);
    default:
      return unknown(`${shape}, of rank ${dims.length}.`);
  }
}

function guessFlat([batch, samples]: readonly Dimension[], name: string, shape: string): InputGuess {
  if (!mayBeBatch(batch)) return unknown(`${shape}: no axis for the batch.`);
  if (typeof samples === 'number' && samples < LEAST_SAMPLES) return unknown(`${shape}: too few values for a sound.`);
  const named = SOUND_NAME.test(name) ? ` and '${name}' the name of a sound` : '';
  return guess('waveform', 'NS', `${shape}, batch and samples${named}.`);
}

function guessSequence([batch, a, b]: readonly Dimension[], name: string, shape: string): InputGuess {
  if (!mayBeBatch(batch)) return unknown(`${shape}: the first axis is no batch.`);
  if (a === 1 && (isOpen(b) || (typeof b === 'number' && b >= LEAST_SAMPLES)))
    return guess('waveform', 'N1S', `${shape}: batch, one channel, samples.`);
  if (b === 1 && (isOpen(a) || (typeof a === 'number' && a >= LEAST_SAMPLES)))
    return guess('waveform', 'NS1', `${shape}: batch, samples, one channel.`);
  if (typeof b === 'number' && MEL_BANDS.has(b) && !SOUND_NAME.test(name))
    return guess('log-mel', 'NTF', `${shape}: ${b} is a usual number of bands.`);
  if (typeof a === 'number' && MEL_BANDS.has(a))
    return guess('log-mel', 'NFT', `${shape}: ${a} is a usual number of bands.`);
  return unknown(`${shape}, which is no usual shape of sound or pictures.`);
}

function guessPlane([batch, a, b, c]: readonly Dimension[], name: string, shape: string): InputGuess {
  if (!mayBeBatch(batch)) return unknown(`${shape}: the first axis is no batch.`);
  if (a === 3) return guess('frames', 'NCHW', `${shape}: three colours, then rows and columns.`, true);
  if (c === 3) return guess('frames', 'NHWC', `${shape}: rows and columns of three colours.`, true);
  if (a === 1 || c === 1) {
    const [first, second] = a === 1 ? [b, c] : [a, b];
    const isMel = (size: Dimension | undefined) => typeof size === 'number' && MEL_BANDS.has(size) && first !== second;
    const [mel, picture] = a === 1 ? [['N1TF', 'N1FT'], 'NCHW'] : [['NTF1', 'NFT1'], 'NHWC'];
    if (isMel(second)) return guess('log-mel', mel[0], `${shape}: one channel, ${String(second)} bands.`);
    if (isMel(first)) return guess('log-mel', mel[1], `${shape}: one channel, ${String(first)} bands.`);
    if (SPECTRUM_NAME.test(name)) return guess('log-mel', mel[0], `'${name}' is the name of a spectrogram.`);
    return guess('frames', picture, `${shape}: one channel of grey.`);
  }
  return unknown(`${shape}: no axis of 3 colours or 1 channel.`);
}

function guessVolume([batch, a, b, c, d]: readonly Dimension[], shape: string): InputGuess {
  if (!mayBeBatch(batch)) return unknown(`${shape}: the first axis is no batch.`);
  if (b === 3) return guess('frames', 'NTCHW', `${shape}: frames of three colours.`, c !== 3 && a !== 3);
  if (a === 3) return guess('frames', 'NCTHW', `${shape}: three colours of frames.`, true);
  if (d === 3) return guess('frames', 'NTHWC', `${shape}: frames, rows and columns of three colours.`, true);
  return unknown(`${shape}: no axis of 3 colours.`);
}
