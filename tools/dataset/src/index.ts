export { type ComposeOptions, compose, type Example, type Rendering } from './compose.ts';
export { type BatchStreamOptions, type ExampleBatch, exampleStream } from './example-stream.ts';
export { LABELS } from './labels.ts';
export type { SourceEntry } from './manifest.ts';
export { type Geometry, TRAINING_GEOMETRY } from './render-frames.ts';
export { type MediaBatch, type OpenSet, openSet, type SetBatch, type SetPart } from './set/open-set.ts';
export { type SetClip, SetError, type SetManifest } from './set/set-manifest.ts';
export { openSources, type Sources } from './sources.ts';
export { SPLITS, type Split, type Stratum } from './splits.ts';
