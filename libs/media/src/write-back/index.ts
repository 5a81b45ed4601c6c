export { FLOAT32_SLACK, GRIDS, type Grid, type QuantisedPair, quantiseInward } from './quantise-inward.ts';
export {
  type ClipShape,
  type Container,
  LOSSLESS,
  parseWriteForm,
  type WriteForm,
  writeProblem,
} from './write-form.ts';
