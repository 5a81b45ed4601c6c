/**
 * Draws clips so that every label that occurs is equally likely to be the one a clip was drawn for: first a label, then one of
 * its clips. Clips without any label form a class of their own.
 */
export class BalancedSampler {
  readonly #classes: readonly (readonly number[])[];

  /** @param targets one 0/1 vector a clip. @throws RangeError when there is no clip. */
  constructor(targets: readonly ArrayLike<number>[]) {
    const byLabel = new Map<number, number[]>();
    const NONE = -1;
    for (const [clip, vector] of targets.entries()) {
      const labels = Array.from(vector, (value, label) => (value > 0 ? label : NONE)).filter((label) => label !== NONE);
      for (const label of labels.length > 0 ? labels : [NONE]) {
        const clips = byLabel.get(label) ?? [];
        clips.push(clip);
        byLabel.set(label, clips);
      }
    }
    if (byLabel.size === 0) throw new RangeError('there are no clips to draw from; add some first');
    this.#classes = [...byLabel].sort(([a], [b]) => a - b).map(([, clips]) => clips);
  }

  /** Index of a clip; takes two numbers in [0, 1). */
  draw(next: () => number): number {
    const clips = this.#classes[Math.floor(next() * this.#classes.length)] ?? [];
    return clips[Math.floor(next() * clips.length)] ?? 0;
  }
}
