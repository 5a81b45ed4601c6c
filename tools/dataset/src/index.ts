export { type ComposeOptions, compose, type Example, type Rendering } from './compose.ts';
export { type BatchStreamOptions, type ExampleBatch, exampleStream } from './example-stream.ts';
export type { ImportedClip, ImportedManifest } from './import/import-set.ts';
export { type ImportedBatch, importedBatches, readImportedManifest } from './import/imported-set.ts';
export { LABELS } from './labels.ts';
export type { SourceEntry } from './manifest.ts';
export { type Geometry, TRAINING_GEOMETRY } from './render-frames.ts';
export { openSources, type Sources } from './sources.ts';
export { SPLITS, type Split } from './splits.ts';
