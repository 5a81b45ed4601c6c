import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandOf, readArguments } from './arguments.ts';

test('a command with its pack and spec is complete', () => {
  const options = readArguments(['--spec', 'mid', '--pack', 'pack', '--seed', '3']);
  assert.equal(options.spec, 'mid');
  assert.equal(options.seed, 3);
  assert.equal(options.out, '.cache/train/mid-seed-3');
});

test('what is wrong is named with its value and the remedy', () => {
  assert.throws(
    () => readArguments(['--spec', 'middle', '--pack', 'p']),
    /--spec is 'middle'; give audio, .*early, mid, /,
  );
  assert.throws(() => readArguments(['--spec', 'mid']), /--pack and --data are missing/);
  assert.throws(() => readArguments(['--spec', 'mid', '--pack', 'p', '--threads', '0']), /--threads is '0'/);
  assert.throws(() => readArguments(['--spec', 'mid', '--pack', 'p', '--sed', '1']), /--sed/);
});

test('seeds do not overwrite each other; the first is the one that ships', () => {
  const at = (seed: string) => readArguments(['--spec', 'audio-crnn', '--pack', 'p', '--seed', seed]);
  assert.equal(at('1').out, 'zoo/victims/audio-crnn');
  assert.equal(at('2').out, '.cache/train/audio-crnn-seed-2');
  assert.notEqual(at('2').checkpoint, at('1').checkpoint);
});

test('a decision victim is put together from two others', () => {
  const from = (spec: string, parts: string) => readArguments(['--spec', spec, '--pack', 'p', '--from', parts]);
  assert.deepEqual(from('decision', 'audio,visual').from, ['audio', 'visual']);
  assert.match(commandOf(from('decision', 'audio,visual')), /--from audio,visual/);
  assert.throws(() => from('decision', 'audio'), /--from is 'audio'/);
  assert.throws(() => from('late', 'audio,visual'), /--spec is 'late'/);
});

test('first weights are named', () => {
  const init = (names: string) => readArguments(['--spec', 'late', '--pack', 'p', '--init', names]).init;
  assert.deepEqual(init('audio,visual'), ['audio', 'visual']);
  assert.throws(() => init('audio,'), /--init is 'audio,'/);
});

test('every option reaches the run, and the command that is recorded makes the same run again', () => {
  const given =
    '--spec late --name late-adversarial --pack p --steps 50 --learning-rate 0.001 --warm-up 5 --decay linear --mixup 0.2 ' +
    '--init audio,visual --moment-steps 7 --moment-learning-rate 0.003 --spec-augment --balanced --patience 3 --adversarial-steps 4 --epsilon-frames 0.02 --gradient-penalty 0.5 --margin 0.1';
  const options = readArguments(given.split(' '));
  assert.equal(options.run.adversarialSteps, 4);
  assert.equal(options.run.decay, 'linear');
  assert.equal(options.run.specAugment, true);
  assert.equal(options.out, 'zoo/victims/late-adversarial');
  const again = commandOf(options).replace('npm run train -- ', '').replace('DIR', 'p');
  assert.deepEqual(readArguments(again.split(' ')), options);
  for (const part of ['--patience 3', '--epsilon-frames 0.02', '--balanced']) assert.ok(again.includes(part), part);
});

test('treatments out of range are named', () => {
  const refused = (option: string, value: string, message: RegExp) =>
    assert.throws(() => readArguments(['--spec', 'mid', '--pack', 'p', option, value]), message);
  refused('--mixup', '-1', /--mixup is '-1'|ambiguous/);
  refused('--decay', 'steep', /--decay is 'steep'; give cosine, linear/);
  refused('--provider', 'tpu', /--provider is 'tpu'; give cpu, cuda/);
  refused('--learning-rate', '0', /--learning-rate is '0'; give a number above 0/);
});
