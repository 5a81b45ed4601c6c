/** One batch. What is heard and what is seen trains the single branches, their union the victim. */
export interface TrainingBatch {
  readonly size: number;
  /**
   * By the victim's inputs, `[size, ...]`: `waveform` in [-1, 1] and `frames` in [0, 1], or features computed beforehand. Those of a modality that a
   * victim does not have are left alone.
   */
  readonly inputs: Readonly<Record<string, Float32Array>>;
  /** `[size, labels]`, 0/1, or between them after mixup. */
  readonly targets: Float32Array;
  readonly audioTargets: Float32Array;
  readonly visualTargets: Float32Array;
}
