import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dataUrl, Markup, markup } from './html/markup.ts';
import { amplifiedDifference, framesPng, spectrogramPng } from './pictures.ts';
import { spectrogram } from './spectrogram.ts';

test('a full-scale tone is 0 dB at its own frequency, and silence is at the floor', () => {
  const bin = 64;
  const tone = Float32Array.from({ length: 2048 }, (_, n) => Math.sin((2 * Math.PI * bin * n) / 512));
  const { bins, columns, decibels } = spectrogram(tone);
  assert.equal(columns, (2048 - 512) / 128 + 1);
  const column = Array.from({ length: bins }, (_, row) => decibels[row * columns] ?? Number.NaN);
  const loudest = Math.max(...column);
  assert.equal(column.indexOf(loudest), bins - 1 - bin);
  assert.ok(Math.abs(loudest) < 1e-3);
  assert.ok(spectrogram(new Float32Array(512)).decibels.every((level) => level === -100));
});

test('a difference is amplified by the largest power of two that fits', () => {
  const { values, factor } = amplifiedDifference(Float32Array.of(0, 0.5), Float32Array.of(0.0625, 0.5), 0.5);
  assert.equal(factor, 8);
  assert.deepEqual(values, Float32Array.of(0.5, 0));
  assert.equal(amplifiedDifference(Float32Array.of(1), Float32Array.of(1), 0.5).factor, 1);
});

test('pictures are PNG files of the right size', () => {
  const size = (png: Uint8Array) => [Buffer.from(png).readUInt32BE(16), Buffer.from(png).readUInt32BE(20)];
  assert.deepEqual(size(framesPng(new Float32Array(2 * 3 * 4 * 5), [2, 3, 4, 5])), [10, 4]);
  assert.deepEqual(size(spectrogramPng(new Float32Array(1024))), [5, 256]);
});

test('templates escape everything but markup', () => {
  const nested = markup`<b>${'<i> & "x"'}</b>`;
  assert.equal(
    markup`${nested}${['a<', new Markup('<br>')]}${null}${1}`.text,
    '<b>&lt;i&gt; &amp; &quot;x&quot;</b>a&lt;<br>1',
  );
  assert.equal(dataUrl('image/png', Uint8Array.of(1, 2)), 'data:image/png;base64,AQI=');
});
