import { after } from 'node:test';
import { HardSetting } from './testing/hard-setting.ts';

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());

// One step is the optimum where there is one true label: always for L-inf and L1.
for (const norm of ['linf', 'l1'] as const) {
  setting.testOptimum({ attack: 'fgsm', norm, steps: 1, labels: [1], tolerance: 1e-3 });
}
