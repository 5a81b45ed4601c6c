import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Loop, LoopPlan } from '@faultline/victim';
import { planOf, program, stateOf, sumOfTargets, targets } from './test-support/programs.ts';
import { inputs, LABELS, SAMPLES, twoLayerVictim } from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const COUNT = 2;
const KEYS = [5n, 6n, 7n];

/** x <- x + mean noise over samples: where it stands tells all noise so far. The transform reads the same draw. */
const programs: LoopPlan['programs'] = {
  transform: program((b) =>
    b.write('seen/waveform', b.plus(b.read('x/waveform', [COUNT, SAMPLES]), b.read('noise/walk', [COUNT, SAMPLES]))),
  ),
  objective: sumOfTargets(COUNT),
  step: program((b) => {
    const noise = b.read('noise/walk', [COUNT, SAMPLES]);
    b.write('next/waveform', b.plus(b.read('x/waveform', [SAMPLES]), b.reduceMean(noise, [1], false)));
    b.write('next/state/logits', b.op('Identity', [b.read('logits', [COUNT, LABELS])]));
    b.write('next/state/noise', b.op('Identity', [noise]));
  }),
  init: program((b) =>
    b.write('next/waveform', b.plus(b.read('x0/waveform', [SAMPLES]), b.read('noise/walk', [SAMPLES]))),
  ),
};
const noise = [{ name: 'walk', distribution: 'uniform', dims: [SAMPLES] }] as const;
const samples = { count: COUNT, gradient: 'mean' } as const;

const open = (clips: readonly number[]) =>
  victim.open(
    planOf(programs, {
      samples,
      noise,
      mode: 'evaluate',
      exampleClips: clips,
      targets: {
        dims: [clips.length, LABELS],
        data: Float32Array.from(
          clips.flatMap((clip) => [...targets.data.subarray(clip * LABELS, (clip + 1) * LABELS)]),
        ),
      },
      noiseKeys: BigUint64Array.from(clips, (clip) => KEYS[clip] ?? 0n),
    }),
    {},
  );
const walk = async (loop: Loop, ...steps: readonly number[]) => {
  for (const count of steps) await loop.step({ steps: count, parameters: {} });
};
const points = async (loop: Loop) => [...((await loop.fetch(['x/waveform'])).get('x/waveform')?.data ?? [])];

test('noise does not depend on how steps are split into messages', async () => {
  await using once = await open([0, 1, 2]);
  await using twice = await open([0, 1, 2]);
  await walk(once, 5);
  await walk(twice, 2, 3);
  assert.deepEqual(await points(twice), await points(once));
});

test('nor on the batch that an example stands in, nor on examples that are dropped', async () => {
  await using all = await open([0, 1, 2]);
  await using alone = await open([2]);
  await using dropped = await open([0, 1, 2]);
  await walk(all, 4);
  await walk(alone, 4);
  await walk(dropped, 2);
  await dropped.keep([1, 2]);
  await walk(dropped, 2);
  const expected = await points(all);
  assert.deepEqual(await points(alone), expected.slice(2 * SAMPLES));
  assert.deepEqual(await points(dropped), expected.slice(SAMPLES));
  assert.deepEqual(
    (await stateOf(alone, 'logits')).data,
    (await stateOf(all, 'logits')).data.slice(2 * COUNT * LABELS),
  );
});

test('restarts, steps and samples draw anew; a restart starts its steps from the first', async () => {
  await using loop = await open([0, 1, 2]);
  const drawn = new Set<number>();
  const note = async () => {
    for (const value of (await stateOf(loop, 'noise')).data) drawn.add(Number(value));
  };
  await walk(loop, 1);
  const first = await points(loop);
  await note();
  await walk(loop, 1);
  await note();
  await loop.restart({});
  await walk(loop, 1);
  assert.notDeepEqual(await points(loop), first);
  await note();
  assert.equal(drawn.size, 3 * 3 * COUNT * SAMPLES);
  // The batch itself is as it was: bringing it again starts over from restart 0.
  const keys = BigUint64Array.from(KEYS);
  await loop.rebatch({ exampleClips: [0, 1, 2], inputs, targets, noiseKeys: keys });
  await loop.restart({});
  await walk(loop, 1);
  assert.deepEqual(await points(loop), first);
});

test('noise that is read needs keys', async () => {
  await assert.rejects(
    victim.open(planOf(programs, { samples, noise, mode: 'evaluate' }), {}),
    /a program reads noise, but the loop has no noise keys/,
  );
});
