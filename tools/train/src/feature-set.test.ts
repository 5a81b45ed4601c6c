import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type OpenSet, openSet } from '@faultline/dataset';
import { ARCHITECTURES, scaleWidths } from '@faultline/fusion';
import { readArguments } from './arguments.ts';
import { setSource } from './example-sources.ts';
import { exportedModel, figuresOf, logitsOf } from './labelled-set.ts';
import { loadMeasuringSets } from './measuring-sets.ts';
import { trainVictim } from './train-victim.ts';
import { specFor } from './victim-spec.ts';

const IMPORT = join(import.meta.dirname, '../../dataset/src/import/main.ts');
const CLIPS = 12;
const LABELS = ['bird', 'dog'];

/** A float32 array as NumPy writes it. */
function npy(dims: readonly number[], data: Float32Array): Buffer {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${dims.join(', ')}), }`;
  const padded = `${header.padEnd(64 * Math.ceil((11 + header.length) / 64) - 11)}\n`;
  const start = Buffer.from([0x93, ...Buffer.from('NUMPY'), 1, 0, padded.length & 255, padded.length >> 8]);
  return Buffer.concat([start, Buffer.from(padded), Buffer.from(data.buffer)]);
}

/** Features in the founding study's shapes; the first feature of a dog is high. Two thirds of the clips are for training. */
async function importFeatures(folder: string): Promise<OpenSet> {
  const isDog = (clip: number) => clip % 2 === 1;
  const features = (steps: number, width: number) =>
    npy(
      [CLIPS, steps, width],
      Float32Array.from({ length: CLIPS * steps * width }, (_, at) => {
        const high = at % width === 0 && isDog(Math.floor(at / (steps * width)));
        return (high ? 3 : 0) + Math.sin(at);
      }),
    );
  await writeFile(join(folder, 'audio.npy'), features(400, 64));
  await writeFile(join(folder, 'video.npy'), features(10, 2048));
  const rows = Array.from({ length: CLIPS }, (_, clip) => {
    const split = clip < 8 ? 'train' : clip < 10 ? 'validation' : 'test';
    return `c${clip},audio.npy,video.npy,${clip},${LABELS[Number(isDog(clip))]},g${clip},${split}`;
  });
  await writeFile(join(folder, 'clips.csv'), ['id,audio,video,row,labels,group,split', ...rows].join('\n'));
  const out = join(folder, 'set');
  const made = spawnSync(process.execPath, [IMPORT, '--from', join(folder, 'clips.csv'), '--out', out], {
    encoding: 'utf8',
  });
  assert.equal(made.status, 0, made.stderr);
  return await openSet(out);
}

let folder = '';
let set: OpenSet;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-features-'));
  set = await importFeatures(folder);
});
after(() => rm(folder, { recursive: true }));

test('features of the study’s shapes train the study’s architecture', async () => {
  const whole = specFor('visual', set.manifest);
  assert.deepEqual({ ...ARCHITECTURES.visual.study, labels: 2 }, whole);
  // The same blocks, narrow enough for a test.
  const spec = scaleWidths(whole, 1 / 64);
  const sets = await loadMeasuringSets(set, 'no shipped clips', spec);
  assert.deepEqual([[...sets.tests.keys()], sets.shipped.size], [['test-unseen'], 0]);

  const given = `--spec visual --name visual-study --data ${folder} --steps 12 --warm-up 2 --learning-rate 0.01`;
  const options = readArguments([...given.split(' '), '--checkpoint', join(folder, 'checkpoint')]);
  const losses: number[] = [];
  const { weights, step } = await trainVictim({
    arguments: options,
    spec,
    examples: setSource(set, 1),
    validation: sets.validation,
    onEpoch: () => {},
    onProgress: ({ loss }) => losses.push(loss),
    onResume: () => {},
  });
  assert.equal(step, 12);
  assert.ok((losses.at(-1) ?? 1) < 0.69, `${losses}`);
  const unseen = sets.tests.get('test-unseen');
  assert.ok(unseen);
  const logits = await logitsOf(exportedModel(spec, weights), spec, unseen, { threads: 1 });
  assert.equal(figuresOf(unseen, logits).meanAveragePrecision, 1);
});

test('a set’s clips come round after round, each once a round, wherever the reading starts', async () => {
  const digits = async (start: number, count: number, batchSize: number) => {
    const drawn: number[] = [];
    for await (const batch of setSource(set, 3)({ start, count, batchSize })) {
      const values = batch.inputs['log-mel'];
      const each = 400 * 64;
      // Sines of their places tell clips apart.
      for (let row = 0; row < batch.size; row++) drawn.push(values?.[row * each + 1] ?? Number.NaN);
    }
    return drawn;
  };
  const all = await digits(0, 24, 6);
  assert.equal(new Set(all).size, 8);
  for (const round of [0, 8, 16]) assert.equal(new Set(all.slice(round, round + 8)).size, 8);
  assert.notDeepEqual(all.slice(0, 8), all.slice(8, 16));
  assert.deepEqual(await digits(5, 9, 2), all.slice(5, 14));
});

test('sets that do not fit an architecture are told apart by what they hold', () => {
  const manifest = {
    name: 'own',
    kind: 'media',
    labels: ['a', 'b', 'c'],
    tensors: { waveform: [32_000], frames: [8, 3, 64, 64] },
    shape: { sampleRateHz: 16_000, samples: 32_000, frameRateHz: 4, frames: 8, height: 64, width: 64 },
    seed: 1,
    clips: [],
    leftOut: [],
  } as const;
  assert.equal(specFor('mid', manifest).labels, 3);
  const tensors = { ...manifest.tensors, frames: [8, 3, 32, 32] };
  assert.throws(() => specFor('mid', { ...manifest, tensors }), /'frames' of \[8, 3, 32, 32\]; .* \[8, 3, 64, 64\]/);
  const shape = { ...manifest.shape, frameRateHz: 8 };
  assert.throws(() => specFor('mid', { ...manifest, shape }), /8 pictures a second, 'mid' takes 16000 and 4/);
  assert.throws(() => specFor('mid', { ...manifest, kind: 'features' }), /no 'audio'/);
});
