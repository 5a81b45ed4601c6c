import { type common, type DenseTensor, decodeTensor, encodeTensor, TensorError } from '@faultline/contracts';
import type { ArtefactStore } from './artefact-store.ts';

/**
 * Stores a tensor's elements, little-endian and row-major; the message that stands for it in their place.
 * @throws TensorError when the number of elements is not the product of `dims`.
 */
export async function storeTensor(store: ArtefactStore, tensor: DenseTensor): Promise<common.Tensor> {
  const { value, ...shape } = encodeTensor(tensor);
  if (value?.$case !== 'raw') throw new TensorError('tensor holds no raw bytes');
  const { sha256, sizeBytes } = await store.put(value.value);
  return { ...shape, value: { $case: 'reference', value: { sha256, sizeBytes } } };
}

/**
 * The elements of a received tensor: those that it carries, or those that it refers to.
 * @throws ArtefactError when the store does not hold them, TensorError when bytes and dimensions disagree.
 */
export async function loadTensor(store: ArtefactStore, tensor: common.Tensor): Promise<DenseTensor> {
  if (tensor.value?.$case !== 'reference') return decodeTensor(tensor);
  const { sha256, sizeBytes } = tensor.value.value;
  // Before the bytes are read: a caller may have set itself a limit by the announced size.
  const stored = await store.stat(sha256);
  if (stored !== undefined && stored.sizeBytes !== sizeBytes) {
    throw new TensorError(`tensor refers to ${sizeBytes} bytes but artefact ${sha256} has ${stored.sizeBytes}`);
  }
  const bytes = await store.read(sha256);
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return decodeTensor({ ...tensor, value: { $case: 'raw', value: raw } });
}
