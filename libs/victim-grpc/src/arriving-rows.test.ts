import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTensor } from '@faultline/contracts';
import { ArrivingRows } from './arriving-rows.ts';

const piece = (dims: readonly number[], from: number) =>
  encodeTensor({ dims, data: Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => from + i) });

test('pieces become one tensor; a single piece says itself how many rows it has', () => {
  const rows = new ArrivingRows('x/v', 3);
  rows.add(piece([2, 2], 0), false);
  rows.add(piece([1, 2], 4), true);
  assert.deepEqual(rows.tensor, { dims: [3, 2], data: Float32Array.of(0, 1, 2, 3, 4, 5) });
  const shared = new ArrivingRows('x/v', 3);
  shared.add(piece([1, 2], 7), true);
  assert.deepEqual(shared.tensor, { dims: [1, 2], data: Float32Array.of(7, 8) });
});

test('pieces that do not go together are the service’s fault', () => {
  const broken: readonly (readonly [readonly (readonly [number[], boolean])[], RegExp])[] = [
    [
      [
        [[2, 2], false],
        [[1, 3], true],
      ],
      /rows \[1, 3\] that do not fit into \[3, 2\]/,
    ],
    [
      [
        [[2, 2], false],
        [[2, 2], true],
      ],
      /rows \[2, 2\] that do not fit/,
    ],
    [
      [
        [[1, 2], false],
        [[1, 2], true],
      ],
      /ended before all of its rows had come/,
    ],
  ];
  for (const [pieces, message] of broken) {
    const rows = new ArrivingRows('x/v', 3);
    const add = () => {
      for (const [dims, last] of pieces) rows.add(piece(dims, 0), last);
    };
    assert.throws(add, { code: 'internal', message });
  }
  assert.throws(() => new ArrivingRows('x/v', 1).add(encodeTensor({ dims: [1], data: Uint8Array.of(1) }), true), {
    code: 'internal',
    message: /slot 'x\/v' is no raw float32/,
  });
});
