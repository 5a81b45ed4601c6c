import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

setting.testOptimum({ attack: 'apgd', norm: 'linf', steps: 100, labels: [1] });
setting.testOptimum({ attack: 'apgd', norm: 'linf', steps: 250, labels: [2], inputs: [['waveform', 'frames']] });
setting.testOptimum({ attack: 'apgd', norm: 'l2', steps: 100 });
setting.testOptimum({ attack: 'apgd', norm: 'l1', steps: 100, inputs: [['waveform', 'frames']] });
