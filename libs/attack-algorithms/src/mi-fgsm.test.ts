import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

// The momentum of a linear victim with one true label never turns.
setting.testOptimum({ attack: 'mi-fgsm', norm: 'linf', steps: 10, labels: [1], tolerance: 1e-3 });
setting.testOptimum({ attack: 'mi-fgsm', norm: 'l2', steps: 60, labels: [1], parameters: { step_scale: 5 } });
