import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

testSearch(setting, { attack: 'fmn', norm: 'l2', steps: 200, tolerance: 0.02 });
testSearch(setting, { attack: 'fmn', norm: 'linf', steps: 150, tolerance: 0.02 });
testSearch(setting, { attack: 'fmn', norm: 'l1', steps: 200, tolerance: 0.02 });
testSearch(setting, {
  attack: 'fmn',
  norm: 'l0',
  steps: 200,
  tolerance: 0,
  coordinates: 1,
  labels: [1],
});
