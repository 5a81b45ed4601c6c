import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32 } from '@faultline/onnx';
import { decodeNpy, encodeNpy } from './npy.ts';

for (const dims of [[], [3], [2, 3], [1, 2, 2]]) {
  test(`[${dims}] comes back from a .npy file, whose elements are aligned`, () => {
    const count = dims.reduce((product, size) => product * size, 1);
    const tensor = float32(
      Float32Array.from({ length: count }, (_, at) => at / 3),
      dims,
    );
    const bytes = encodeNpy(tensor);
    assert.equal((bytes.length - 4 * count) % 64, 0);
    assert.deepEqual(decodeNpy(bytes), tensor);
  });
}

test('the header is the one that NumPy writes', () => {
  const text = Buffer.from(encodeNpy(float32([1, 2, 3]))).toString('latin1');
  assert.ok(text.startsWith("\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }"));
});

test('other files and other elements are refused', () => {
  assert.throws(() => decodeNpy(Buffer.from('PK')), /no .npy file/);
  const doubles = Buffer.from(
    Buffer.from(encodeNpy(float32([1])))
      .toString('latin1')
      .replace('<f4', '<f8'),
    'latin1',
  );
  assert.throws(() => decodeNpy(doubles), /float32 array/);
  assert.throws(() => encodeNpy({ data: new Float64Array(1), dims: [1] }), /only float32/);
});
