import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';
import { testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

testSearch(setting, { attack: 'carlini_wagner', norm: 'l2', steps: 400, tolerance: 0.05 });
