import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

const both = [['waveform', 'frames']];
testSearch(setting, { attack: 'fab', norm: 'linf', steps: 60, tolerance: 0.02, inputs: both });
testSearch(setting, { attack: 'fab', norm: 'l2', steps: 60, tolerance: 0.02, inputs: both });
testSearch(setting, { attack: 'fab', norm: 'l1', steps: 60, tolerance: 0.02, inputs: both });
