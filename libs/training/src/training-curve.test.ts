import assert from 'node:assert/strict';
import { test } from 'node:test';
import { trainingCurveSvg } from './training-curve.ts';

test('a curve holds a point for each loss and each validation figure, inside the picture', () => {
  const svg = trainingCurveSvg('late <1>', [
    { step: 100, loss: 0.4, learningRate: 1 },
    { step: 200, loss: 0.3, learningRate: 1, validation: 0.5 },
    { step: 300, loss: 0.25, learningRate: 1, validation: 0.6 },
  ]);
  const lines = [...svg.matchAll(/points="([^"]+)"/g)].map(([, points = '']) => points.split(' '));
  assert.deepEqual(
    lines.map(({ length }) => length),
    [3, 2],
  );
  for (const [x, y] of lines.flat().map((point) => point.split(',').map(Number))) {
    assert.ok(x !== undefined && y !== undefined && x >= 0 && x <= 720 && y >= 0 && y <= 360);
  }
  // A falling loss goes down, a rising figure up.
  const heights = lines.map((points) => points.map((point) => Number(point.split(',')[1])));
  assert.ok((heights[0]?.[0] ?? 0) < (heights[0]?.[2] ?? 0));
  assert.ok((heights[1]?.[0] ?? 0) > (heights[1]?.[1] ?? 0));
  assert.match(svg, /late &#60;1&#62;/);
  assert.throws(() => trainingCurveSvg('none', []), /no point/);
});

test('a curve of one point, or without validation, is drawn all the same', () => {
  const svg = trainingCurveSvg('one', [{ step: 1, loss: 0.4, learningRate: 1 }]);
  assert.doesNotMatch(svg, /NaN|Infinity|mAP/);
});
