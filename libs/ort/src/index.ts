export { dryRun, halves, type InputMaker } from './dry-run.ts';
export { type Feeds, Session, type SessionOptions } from './session.ts';
export { float32Data, fromOrt, OrtTensor, toOrt } from './tensors.ts';
