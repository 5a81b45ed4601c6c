import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { encodeTensor, score, victim } from '@faultline/contracts';
import { fileStems, makeSaveFolder, saveExample } from './save-examples.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-test-'));
});
after(() => rm(folder, { recursive: true }));

test('sound becomes a WAV file, anything else an array that NumPy reads, each bit for bit', async () => {
  const waveform = Float32Array.of(0.1, -0.2, 1);
  const frames = Float32Array.from({ length: 12 }, (_, index) => index / 12);
  const found = score.ClipScore.fromPartial({
    victim: 'late',
    adversarial: [
      { name: 'waveform', tensor: encodeTensor({ dims: [3], data: waveform }) },
      { name: 'frames', tensor: encodeTensor({ dims: [2, 3, 1, 2], data: frames }) },
    ],
  });
  const input = victim.InputSpecification.fromPartial({
    name: 'waveform',
    kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 3 } },
  });
  const files = await saveExample(folder, 'seen-001', found, [input]);
  assert.deepEqual(files, ['seen-001.late.waveform.wav', 'seen-001.late.frames.npy']);
  const [wav, npy] = await Promise.all(files.map((file) => readFile(join(folder, file))));
  assert.deepEqual(floats(wav?.subarray(44)), waveform);
  assert.deepEqual(floats(npy?.subarray(128)), frames);
  // The header fills 128 bytes, and its length is in bytes 8 and 9.
  assert.equal(npy?.readUInt16LE(8), 118);
  assert.equal(npy?.toString('latin1', 0, 8), '\x93NUMPY\x01\x00');
  const header = npy?.toString('latin1', 10, 128) ?? '';
  assert.match(header, /^\{'descr': '<f4', 'fortran_order': False, 'shape': \(2, 3, 1, 2\), \} *\n$/);
});

const floats = (bytes: Buffer | undefined) => new Float32Array(Uint8Array.from(bytes ?? []).buffer);

test('clips of the same name in two folders keep files of their own', () => {
  assert.deepEqual(
    [...fileStems(['a/x.mp4', 'b/x.wav', 'y 1'])].map(([, stem]) => stem),
    ['x', 'x-2', 'y-1'],
  );
});

test('a folder that cannot be made is refused before the work', async () => {
  await writeFile(join(folder, 'file'), '');
  await assert.rejects(makeSaveFolder(join(folder, 'file/below')), { name: 'UsageError', message: /^--save: .*file/ });
});
