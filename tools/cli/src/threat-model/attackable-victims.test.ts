import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { attackableVictims } from './attackable-victims.ts';

const waveform: victim.InputSpecification = {
  name: 'waveform',
  kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 32_000 } },
};
const frames: victim.InputSpecification = {
  name: 'frames',
  kind: { $case: 'frames', value: { frameRateHz: 4, frames: 8, height: 64, width: 64 } },
};
const cards = new Map(
  Object.entries({ both: [waveform, frames], deaf: [frames], blind: [waveform] }).map(([name, inputs]) => [
    name,
    victim.Card.fromPartial({ name, inputs }),
  ]),
);

const names = (variables?: readonly string[]) => [...attackableVictims(cards, variables).keys()];

test('victims without what is attacked are left alone, unless none has it', () => {
  assert.deepEqual(names(), ['both', 'blind']);
  assert.deepEqual(names(['frames']), ['both', 'deaf']);
  assert.deepEqual(names(['waveform=0.001', 'frames']), ['both']);
  assert.deepEqual(names(['log-mel']), ['both', 'deaf', 'blind']);
});

test('the victim that crafts is not attacked, nor those with other inputs', () => {
  const twin = new Map([...cards, ['twin', victim.Card.fromPartial({ name: 'twin', inputs: [frames, waveform] })]]);
  assert.deepEqual([...attackableVictims(twin, ['waveform'], 'both').keys()], ['twin']);
  assert.deepEqual([...attackableVictims(twin, [], 'unknown').keys()], ['both', 'blind', 'twin']);
});
