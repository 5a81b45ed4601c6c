import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { readCards } from './read-cards.ts';
import { withTables, zooTables } from './zoo-tables.ts';

const ZOO = join(import.meta.dirname, '../../../../zoo/victims');

test('the README of the reference victims tells what their cards tell', async () => {
  const readme = await readFile(join(ZOO, 'README.md'), 'utf8');
  const renewed = withTables(readme, zooTables(await readCards(ZOO)));
  assert.equal(readme, renewed, 'run node tools/train/src/table/write-tables.ts');
  assert.throws(() => withTables('# nothing', ''), /has no lines/);
});

const share = (value: number): victim.ClipShare => ({ share: value, low: value - 0.1, high: value + 0.1 });

test('victims stand from single modalities to late fusion, with all that is known of them', () => {
  const figure = (scale: number, attacked: number) =>
    victim.RobustnessFigure.fromPartial({
      budgets: [
        { variable: 'waveform', epsilon: 0.001 * scale },
        { variable: 'frames', epsilon: 0.004 * scale },
      ],
      clean: share(0.6),
      attacked: share(attacked),
      noise: share(0.55),
      gains: scale === 1 ? [{ against: 'audio', difference: 0.2, low: 0.1, high: 0.3 }] : [],
    });
  const late = victim.Card.fromPartial({
    name: 'late',
    fusion: victim.FusionVariant.FUSION_VARIANT_LATE,
    parameters: 202_734,
    macs: 15.3e6,
    metrics: [
      {
        split: 'test-unseen',
        clips: 800,
        meanAveragePrecision: 0.712,
        otherSoundPrecision: 0.2,
        otherPicturesPrecision: 0.5,
        labels: [{ label: 'dog', positives: 4, averagePrecision: 0.61 }],
        styles: [{ style: 'photo', clips: 9, meanAveragePrecision: 0.58 }],
      },
    ],
    seedSpread: {
      split: 'test-unseen',
      seeds: [1, 2],
      meanAveragePrecisions: [0.7, 0.72],
      mean: 0.71,
      standardDeviation: 0.014,
    },
    trainingCost: { steps: 2, clips: 48, processorSeconds: 600, processor: 'a processor', threads: 1 },
    robustness: [figure(0.5, 0.5), figure(1, 0.3), figure(2, 0.1)],
  });
  const audio = victim.Card.fromPartial({ name: 'audio', fusion: victim.FusionVariant.FUSION_VARIANT_AUDIO_ONLY });
  assert.doesNotMatch(zooTables([late, audio]), /lead over/, 'a branch is missing');
  const cells = zooTables([late, audio])
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
  assert.deepEqual(cells[2], ['`audio`', '0', '0.0 M', ...Array<string>(9).fill('-')]);
  assert.deepEqual(cells[3], [
    ...['`late`', '202,734', '15.3 M', '-', '71.2 %', '-', '-', '-', '71.0 % ± 1.4 %', '20.0 %', '50.0 %', '10'],
  ]);
  const [titles, , , robust] = cells.slice(4);
  assert.equal(titles?.[6], 'waveform 0.001, frames 0.004');
  assert.deepEqual(robust?.slice(-2), ['30.0 % [20.0 %, 40.0 %]', '55.0 %']);
  assert.deepEqual(cells[10], ['`late` against `audio`', 'waveform 0.001, frames 0.004', '20.0 % [10.0 %, 30.0 %]']);
  assert.deepEqual(cells.slice(-2), [
    ['dog', '-', '61.0 %'],
    ['*photo*', '-', '58.0 %'],
  ]);
});

test('a fusion is compared with the better branch of its own seed', () => {
  const card = (name: string, fusion: victim.FusionVariant, seeds: number[], meanAveragePrecisions: number[]) =>
    victim.Card.fromPartial({ name, fusion, seedSpread: { split: 'test-unseen', seeds, meanAveragePrecisions } });
  const { FUSION_VARIANT_AUDIO_ONLY, FUSION_VARIANT_VISUAL_ONLY, FUSION_VARIANT_LATE } = victim.FusionVariant;
  const tables = zooTables([
    card('audio', FUSION_VARIANT_AUDIO_ONLY, [1, 2, 3], [0.6, 0.4, 0.5]),
    card('visual', FUSION_VARIANT_VISUAL_ONLY, [1, 2, 3], [0.3, 0.5, 0.3]),
    card('late', FUSION_VARIANT_LATE, [3, 1, 2], [0.6, 0.7, 0.6]),
  ]);
  assert.match(tables, /\| `late` \| +10\.0 %, 10\.0 %, 10\.0 % \| +10\.0 % ± 0\.0 % \|/);
});
