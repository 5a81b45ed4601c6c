/** One batch. What is heard and what is seen trains the single branches, their union the victim. */
export interface TrainingBatch {
  readonly size: number;
  /** `[size, samples]`. */
  readonly waveform: Float32Array;
  /** `[size, frames, 3, height, width]`, in [0, 1]. */
  readonly frames: Float32Array;
  /** `[size, labels]`, 0/1, or between them after mixup. */
  readonly targets: Float32Array;
  readonly audioTargets: Float32Array;
  readonly visualTargets: Float32Array;
}
