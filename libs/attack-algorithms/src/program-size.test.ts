import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultValues } from './attack-parameters.ts';
import { catalogue } from './catalogue.ts';

/** What no form of an attack comes near, and less than half of what a victim allows (docs/programs.md). */
const MOST_BYTES = 100_000;

/** Inputs of a large victim: 10 s at 16 kHz, 16 pictures of 224 x 224. */
const variables = [
  { name: 'waveform', dims: [160_000], low: -1, high: 1, rho: 0.001 },
  { name: 'frames', dims: [16, 3, 224, 224], low: 0, high: 1, rho: 0.004 },
];

const taps = [
  { name: 'audio.embedding', dims: [512] },
  { name: 'video.embedding', dims: [512] },
];

for (const row of catalogue.values()) {
  for (const norm of row.norms) {
    test(`the programs of '${row.name}' are small whatever the size of the inputs: ${norm}`, () => {
      const setting = {
        variables: variables.slice(0, row.mostVariables),
        norm,
        steps: 20,
        thresholds: [0, 0, 0, 0, 0],
        logitScale: 1,
        taps,
        reachedMargin: -1e-4,
        mostTargets: 2,
      };
      const shifts: Record<string, number> = 'shift_fill' in row.parameters ? { shift_share: 0.05 } : {};
      const { programs } = row.plan(setting, { ...defaultValues(row.parameters), ...shifts });
      for (const [role, program] of Object.entries(programs))
        assert.ok(program.byteLength < MOST_BYTES, `${role}: ${program.byteLength} bytes`);
    });
  }
}
