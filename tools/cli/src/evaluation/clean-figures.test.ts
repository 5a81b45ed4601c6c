import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { UsageError } from '../exit-code.ts';
import { CLIPS_DIR, VICTIMS_DIR, WORKSPACE } from '../workspace.ts';
import { compared, evaluateVictim } from './clean-figures.ts';
import { readLabelledClips } from './labelled-clips.ts';

const OPTIONS = { threads: 1, onClips: () => {} };

/** A copy of a shipped victim that claims its figures of the seen stratum alone, changed. */
async function withCard<T>(change: (metrics: Record<string, number>) => void, work: (folder: string) => Promise<T>) {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-evaluate-'));
  try {
    const card = JSON.parse(await readFile(join(VICTIMS_DIR, 'late/card.json'), 'utf8'));
    card.metrics = card.metrics.filter(
      ({ split }: { split: string }) => split === 'clips-seen' || split === 'test-unseen',
    );
    change(card.metrics[1]);
    await writeFile(join(folder, 'card.json'), JSON.stringify(card));
    await symlink(join(VICTIMS_DIR, 'late/model.onnx'), join(folder, 'model.onnx'));
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a shipped card tells the truth, and one that is a little too good is found out', async () => {
  const clips = await readLabelledClips(CLIPS_DIR);
  const evaluate = (folder: string) => evaluateVictim(folder, clips, OPTIONS);
  const honest = await withCard(() => {}, evaluate);
  assert.equal(honest.matches, true, JSON.stringify(honest));
  assert.deepEqual(honest.notRecomputed, ['test-unseen']);
  const faultline = (folder: string) =>
    spawnSync(
      process.execPath,
      [join(WORKSPACE, 'tools/cli/bin/faultline.js'), 'evaluate', '--json', '--victim', folder],
      {
        encoding: 'utf8',
      },
    );
  const boastful = await withCard(
    (metrics) => {
      metrics.meanAveragePrecision = (metrics.meanAveragePrecision ?? 0) + 0.005;
    },
    async (folder) => faultline(folder),
  );
  assert.equal(boastful.status, 1, boastful.stderr);
  assert.equal(JSON.parse(boastful.stdout).victims[0].matches, false);
  assert.match(boastful.stderr, /does not match what was measured: late/);
});

test('each figure counts', () => {
  const found = {
    meanAveragePrecision: 0.5,
    areaUnderCurve: 0.8,
    dPrime: 1.2,
    labels: new Map([
      ['dog', 0.5],
      ['bird', null],
    ]),
    styles: new Map([['photo', 0.4]]),
  };
  const labels = [
    { label: 'dog', positives: 3, averagePrecision: 0.5 },
    { label: 'bird', positives: 0, averagePrecision: undefined },
  ];
  const styles = [{ style: 'photo', clips: 4, meanAveragePrecision: 0.4 }];
  const metrics = { ...found, split: 'clips-unseen', clips: 9, labels, styles };
  assert.equal(compared(metrics, found).matches, true);
  const [dog, bird] = labels;
  assert.ok(dog && bird);
  assert.equal(compared({ ...metrics, labels: [{ ...dog, averagePrecision: 0.45 }, bird] }, found).matches, false);
  assert.equal(compared({ ...metrics, labels: [dog, { ...bird, averagePrecision: 0 }] }, found).matches, false);
  const flattered = styles.map((style) => ({ ...style, meanAveragePrecision: 0.42 }));
  assert.equal(compared({ ...metrics, styles: flattered }, found).matches, false);
  for (const figure of ['meanAveragePrecision', 'areaUnderCurve', 'dPrime'] as const) {
    assert.equal(compared({ ...metrics, [figure]: found[figure] - 0.03 }, found).matches, false, figure);
  }
});

test('a clip set that lacks the clips of a card, or is none, is the caller’s error', async () => {
  const clips = await readLabelledClips(CLIPS_DIR);
  await withCard(
    () => {},
    (folder) => assert.rejects(evaluateVictim(folder, clips.slice(0, 5), OPTIONS), UsageError),
  );
  await assert.rejects(readLabelledClips(VICTIMS_DIR), /--clips/);
});
