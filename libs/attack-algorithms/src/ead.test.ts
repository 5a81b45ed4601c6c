import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

testSearch(setting, { attack: 'ead', norm: 'l1', steps: 200, tolerance: 0.05, inputs: [['waveform', 'frames']] });
