export {
  type AxisSize,
  type BatchAxis,
  dryRun,
  halves,
  type InputMaker,
  isBatchAxis,
  type ValueType,
} from './dry-run.ts';
export { type Feeds, Session, type SessionOptions } from './session.ts';
export { float32Data, fromOrt, OrtTensor, toOrt } from './tensors.ts';
