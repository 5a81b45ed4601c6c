import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inference } from '@faultline/contracts';
import type { Verified } from '../judge/verified.ts';
import { type VictimUnderTest, victimUnderTest } from '../peers/victim-under-test.ts';
import { threatModel, VICTIMS } from '../test-support/linear-campaign.ts';
import { TransferPoints } from './transfer-points.ts';

const [strong, weak] = VICTIMS.map(({ card }) =>
  victimUnderTest(card.name, inference.DescribeResponse.fromPartial({ card })),
) as [VictimUnderTest, VictimUnderTest];

const reached = (clip: number, scale: number): Verified => ({
  clip,
  scale,
  rung: undefined,
  verdict: 'reached',
  refuted: false,
  measured: new Map(),
  logits: undefined,
  margin: -1,
});

test('what needs less on another victim is tried, on clips that have not the goal already', () => {
  const points = new TransferPoints([0, 1, 2, 3]);
  for (const clip of [0, 1, 2]) {
    const adversarial = new Map([['waveform', new Float32Array([clip])]]);
    points.offer(strong, { rung: 0, clip, adversarial, believedMargin: -1 }, reached(clip, 1));
  }
  const tried = (victim: VictimUnderTest, found: [number, number][]) =>
    points.pointsFor(victim, threatModel(), new Map(found)).map(({ clip }) => clip);
  // Clip 2 is off when clean: it is not among those that are assessed.
  assert.deepEqual(
    tried(weak, [
      [0, Number.POSITIVE_INFINITY],
      [1, 0.5],
      [3, 8],
    ]),
    [0],
  );
  assert.deepEqual(tried(strong, [[0, Number.POSITIVE_INFINITY]]), [], 'its own points');
});
