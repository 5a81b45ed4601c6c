import { describe, test } from 'node:test';
import { ARCHITECTURE_NAMES } from './architectures.ts';
import { checkGradients } from './testing/check-gradients.ts';
import { tinyLaptop, tinyStudy } from './testing/tiny-victims.ts';

describe('gradients of inputs and weights agree with differences', () => {
  for (const name of ARCHITECTURE_NAMES.filter((each) => !each.endsWith('-matched'))) {
    test(`${name} at the laptop's form`, () => checkGradients(tinyLaptop(name)));
    test(`${name} at the study's form`, () => checkGradients(tinyStudy(name)));
  }
});
