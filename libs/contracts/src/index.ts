// The generated contracts by package, so that a reader sees where a message comes from: `inference.OpenRequest`.
export * as attack from '../gen/faultline/attack/v1alpha1/attack.ts';
export * as common from '../gen/faultline/common/v1alpha1/common.ts';
export * as features from '../gen/faultline/features/v1alpha1/features.ts';
export * as inference from '../gen/faultline/inference/v1alpha1/inference.ts';
export * as score from '../gen/faultline/score/v1alpha1/score.ts';
export * as victim from '../gen/faultline/victim/v1alpha1/card.ts';
export * as health from '../gen/grpc/health/v1/health.ts';
export * as reflection from '../gen/grpc/reflection/v1/reflection.ts';
export * as openInference from '../gen/open_inference/open_inference.ts';
export { readDescriptorSet } from './descriptor-set.ts';
export { joinRows, pickRows, ROW_CHUNK_BYTES, type RowChunk, rowChunks, rowsWithin, sliceRows } from './rows.ts';
export {
  type DenseTensor,
  decodeTensor,
  elementCount,
  encodeTensor,
  type TensorElements,
  TensorError,
} from './tensor.ts';
