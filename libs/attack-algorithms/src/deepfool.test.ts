import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

/** Its overshoot, of the perturbation and of what it adds to the margin. */
testSearch(setting, { attack: 'deepfool', norm: 'l2', steps: 20, tolerance: 0.025 });
testSearch(setting, { attack: 'deepfool', norm: 'linf', steps: 20, tolerance: 0.025 });
