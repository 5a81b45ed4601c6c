import { describe, test } from 'node:test';
import { checkGradients } from './testing/check-gradients.ts';
import { tinyLaptop, tinyStudy } from './testing/tiny-victims.ts';

/** Every block and every operator once; the long tests take every architecture. */
const LAPTOP = [
  'audio-attention',
  'audio-no-residuals',
  'audio-crnn',
  'audio-resnet',
  'audio-patches',
  'visual',
  'mid-sum',
  'mid-film',
  'mid-gated',
  'late-concat',
  'decision',
] as const;

describe('gradients of inputs and weights agree with differences', () => {
  for (const name of LAPTOP) test(`${name} at the laptop's form`, () => checkGradients(tinyLaptop(name)));
  for (const name of ['audio-resnet', 'early'] as const) {
    test(`${name} at the study's form`, () => checkGradients(tinyStudy(name)));
  }
});
