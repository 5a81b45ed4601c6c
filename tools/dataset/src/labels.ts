/** The event classes of the reference data set, in the order of logits and targets. */
export const LABELS: readonly string[] = [
  'speech',
  'dog',
  'bird',
  'horse',
  'livestock',
  'vehicle',
  'aircraft',
  'gunshot',
  'water',
  'drum',
  'guitar',
  'brass',
];

/** Labels as a 0/1 vector in the order of LABELS. */
export function labelVector(labels: readonly string[]): Float32Array<ArrayBuffer> {
  const vector = new Float32Array(LABELS.length);
  for (const label of labels) {
    const index = LABELS.indexOf(label);
    if (index < 0) throw new RangeError(`unknown label "${label}"; the labels are ${LABELS.join(', ')}`);
    vector[index] = 1;
  }
  return vector;
}
