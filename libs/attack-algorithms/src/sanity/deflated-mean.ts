/** A direction is taken out where the samples vary this many times as much in it as in the middle one of all. */
const LOUD = 8;
/** Of the directions in which samples may differ, at most this share is taken out. */
const MOST = 0.6;
const SWEEPS = 12;

/**
 * The mean of samples of one vector, without the directions in which they differ far more than in the others: where few directions carry the
 * noise, the mean alone would need the square of their loudness in samples. By the eigenvectors of the samples' Gram matrix.
 * @param samples two or more, of one length.
 */
export function deflatedMean(samples: readonly Float32Array[]): Float32Array {
  const count = samples.length;
  const size = samples[0]?.length ?? 0;
  const mean = new Float64Array(size);
  for (const sample of samples) for (let i = 0; i < size; i += 1) mean[i] = (mean[i] ?? 0) + (sample[i] ?? 0) / count;
  const centred = samples.map((sample) => Float64Array.from(sample, (value, i) => value - (mean[i] ?? 0)));
  const gram = centred.map((one) => centred.map((other) => dot(one, other)));
  const pairs = eigenpairs(gram).toSorted((a, b) => b.value - a.value);
  // One of them is 0: the centred samples add up to nothing.
  const middle = pairs[Math.floor((count - 1) * (MOST + (1 - MOST) / 2))]?.value ?? 0;
  for (const { value, vector } of pairs.slice(0, Math.floor(MOST * (count - 1)))) {
    if (!(value > LOUD * middle)) break;
    const direction = new Float64Array(size);
    for (const [sample, weight] of vector.entries()) {
      const own = centred[sample] ?? direction;
      for (let i = 0; i < size; i += 1) direction[i] = (direction[i] ?? 0) + weight * (own[i] ?? 0);
    }
    // The direction's square length is the eigenvalue.
    const along = dot(direction, mean) / value;
    for (let i = 0; i < size; i += 1) mean[i] = (mean[i] ?? 0) - along * (direction[i] ?? 0);
  }
  return Float32Array.from(mean);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

interface Eigenpair {
  readonly value: number;
  /** Of length 1. */
  readonly vector: readonly number[];
}

/** Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi's rotations. */
function eigenpairs(symmetric: readonly (readonly number[])[]): Eigenpair[] {
  const size = symmetric.length;
  const a = symmetric.map((row) => [...row]);
  const vectors = a.map((_, i) => a.map((__, j) => (i === j ? 1 : 0)));
  const rotate = (rows: number[][], p: number, q: number, cos: number, sin: number): void => {
    for (const row of rows) {
      const [x = 0, y = 0] = [row[p], row[q]];
      row[p] = cos * x - sin * y;
      row[q] = sin * x + cos * y;
    }
  };
  for (let sweep = 0; sweep < SWEEPS; sweep += 1) {
    for (let p = 0; p < size; p += 1) {
      for (let q = p + 1; q < size; q += 1) {
        const off = a[p]?.[q] ?? 0;
        if (off === 0) continue;
        const theta = ((a[q]?.[q] ?? 0) - (a[p]?.[p] ?? 0)) / (2 * off);
        const tan = Math.sign(theta || 1) / (Math.abs(theta) + Math.hypot(theta, 1));
        const cos = 1 / Math.hypot(tan, 1);
        rotate(a, p, q, cos, tan * cos);
        const [rowP = [], rowQ = []] = [a[p], a[q]];
        const before = [...rowP];
        for (let j = 0; j < size; j += 1) {
          rowP[j] = cos * (before[j] ?? 0) - tan * cos * (rowQ[j] ?? 0);
          rowQ[j] = tan * cos * (before[j] ?? 0) + cos * (rowQ[j] ?? 0);
        }
        rotate(vectors, p, q, cos, tan * cos);
      }
    }
  }
  return a.map((row, i) => ({ value: row[i] ?? 0, vector: vectors.map((own) => own[i] ?? 0) }));
}
