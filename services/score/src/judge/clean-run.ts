/** Clean predictions of one victim on the campaign's clips. */
export interface CleanRun {
  readonly clips: number;
  readonly labels: number;
  /** [clips, labels] */
  readonly logits: Float32Array;
  /** [clips, labels], 1 at the true labels. */
  readonly targets: Float32Array;
  /** One a clip: of the goal; to deactivate, where nothing else is said. */
  readonly margins: readonly number[];
  /** One a clip: the goal is reached before any attack. */
  readonly off: readonly boolean[];
}
