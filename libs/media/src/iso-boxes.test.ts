import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { requireWholeBoxes } from './iso-boxes.ts';

const inMemory = (bytes: Buffer) => ({
  size: bytes.length,
  read: (offset: number, length: number) => bytes.subarray(offset, offset + length),
});

function box(contentBytes: number): Buffer {
  const bytes = Buffer.alloc(8 + contentBytes, 'free');
  bytes.writeUInt32BE(bytes.length);
  return bytes;
}

function largeBox(contentBytes: number): Buffer {
  const bytes = Buffer.alloc(16 + contentBytes, 'free');
  bytes.writeUInt32BE(1);
  bytes.writeBigUInt64BE(BigInt(bytes.length), 8);
  return bytes;
}

const boxes = fc.array(fc.tuple(fc.constantFrom(box, largeBox), fc.nat(20)), { minLength: 1, maxLength: 5 });

describe('requireWholeBoxes', () => {
  it('takes whole boxes, and refuses them cut short anywhere inside the last', () => {
    fc.assert(
      fc.property(boxes, fc.nat(), (sizes, cut) => {
        const parts = sizes.map(([make, bytes]) => make(bytes));
        const file = Buffer.concat(parts);
        assert.equal(requireWholeBoxes(inMemory(file)), undefined);
        const lost = 1 + (cut % ((parts.at(-1)?.length ?? 0) - 1));
        assert.throws(() => requireWholeBoxes(inMemory(file.subarray(0, file.length - lost))), {
          reason: 'undecodable',
        });
      }),
    );
  });

  it('takes a last box that says that it reaches the end', () => {
    const open = box(10);
    open.writeUInt32BE(0);
    assert.equal(requireWholeBoxes(inMemory(Buffer.concat([box(3), open]))), undefined);
  });
});
