export { type Calibration, calibrate, RANGE_RULES, type RangeRule } from './calibration/calibrate.ts';
export { dryRun, halves, type InputMaker } from './dry-run.ts';
export {
  EXECUTION_PROVIDERS,
  type ExecutionProvider,
  ExecutionProviderError,
  type Feeds,
  type Outputs,
  type OutputType,
  Session,
  type SessionOptions,
} from './session.ts';
export { settleBranches } from './settle-branches.ts';
export { float32Data, fromOrt, OrtTensor, toOrt } from './tensors.ts';
