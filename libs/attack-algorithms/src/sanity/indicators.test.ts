import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExampleEvidence } from '../evidence.ts';
import { type ClipEvidence, findingsOf, type IndicatorName } from './indicators.ts';

const loop = (changes: Partial<ExampleEvidence> = {}): ExampleEvidence => ({
  clip: 0,
  rung: 0,
  member: 0,
  evaluations: 3,
  lowestMargin: 0.5,
  rises: 0,
  path: [
    { step: 0, margin: 1, best: 1 },
    { step: 2, margin: 0.5, best: 0.5 },
  ],
  bestByRestart: [0.5],
  gradients: new Map([['waveform', { evaluations: 2, zeros: 0, largest: 3 }]]),
  ...changes,
});
const probe = { clip: 0, margin: 1, claimed: 2, furthest: 100, fulfilled: 0.9 };
const still = { evaluations: 10, zeros: 2, largest: 1 };
const moving = { evaluations: 10, zeros: 0, largest: 1 };

const sound: ClipEvidence = {
  probe,
  loops: [loop()],
  refuted: false,
  scales: { attack: 1, noise: 3, blackBox: 1.2, transfer: 1 },
  unbounded: true,
};

const shown: readonly (readonly [IndicatorName, string, ClipEvidence])[] = [
  ['zero-gradient', 'no claim at all', { probe: { ...probe, claimed: 0, fulfilled: undefined } }],
  [
    'zero-gradient',
    'a claim that the whole range would not meet',
    { probe: { ...probe, claimed: 1e-4, fulfilled: 1 } },
  ],
  ['zero-gradient', 'an attack that stands still', { loops: [loop({ gradients: new Map([['waveform', still]]) })] }],
  ['slope-mismatch', 'a margin that stays', { probe: { ...probe, fulfilled: 0.01 } }],
  ['slope-mismatch', 'a margin that rises', { probe: { ...probe, fulfilled: -1 } }],
  ['slope-mismatch', 'a margin that falls off a cliff', { probe: { ...probe, fulfilled: 30 } }],
  ['rising-loss', 'no point below the start', { loops: [loop({ lowestMargin: 1 })] }],
  ['silent-failure', 'a refuted candidate', { refuted: true }],
  ['noise-is-better', 'noise needs less', { scales: { attack: 2, noise: 1 } }],
  [
    'noise-is-better',
    'noise finds what the attack does not',
    { scales: { attack: Number.POSITIVE_INFINITY, noise: 1 } },
  ],
  ['black-box-is-better', 'queries alone need less', { scales: { attack: 2, blackBox: 1 } }],
  ['no-transfer', 'points of another victim need less', { scales: { attack: 2, transfer: 1 } }],
  ['unbounded-failure', 'everything may change', { unbounded: false }],
];

describe('indicators of attack failure', () => {
  test('nothing is raised by sound evidence, nor by none', () => {
    assert.deepEqual(findingsOf([sound, {}]), []);
  });

  for (const [name, about, evidence] of shown) {
    test(`${name}: ${about}`, () => {
      assert.deepEqual(
        findingsOf([{ ...sound, ...evidence }]).map(({ indicator, clips, of }) => ({ indicator, clips, of })),
        [{ indicator: name, clips: 1, of: 1 }],
      );
    });
  }

  test('an attack that still moves one variable does not stand still', () => {
    const gradients = new Map([
      ['waveform', still],
      ['frames', moving],
    ]);
    assert.deepEqual(findingsOf([{ loops: [loop({ gradients })] }]), []);
  });

  test('a path that began beyond the goal has nothing to fall to', () => {
    const reached = { restart: 0, step: 0 };
    assert.deepEqual(
      findingsOf([{ loops: [loop({ lowestMargin: -1, reached, path: [{ step: 0, margin: -1, best: -1 }] })] }]),
      [],
    );
  });

  test('one clip in ten may stand at a kink', () => {
    const bad = { probe: { ...probe, fulfilled: 0 } };
    const clips = Array.from({ length: 9 }, () => sound);
    assert.deepEqual(findingsOf([...clips, bad]), []);
    assert.equal(findingsOf([...clips, bad, bad])[0]?.clips, 2);
    assert.deepEqual(findingsOf([...clips.slice(0, 3), bad]), [], 'nor is one of four raised');
  });
});
