import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

testSearch(setting, {
  attack: 'sigma_zero',
  norm: 'l0',
  steps: 300,
  tolerance: 0,
  coordinates: 1,
  labels: [1],
  inputs: [['waveform'], ['frames']],
});
