/** In-place radix-2 Cooley-Tukey transform, e^(-i ..); both parts have the same length, a power of two. */
export function fourierTransform(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  for (let index = 1, reversed = 0; index < size; index += 1) {
    let bit = size >> 1;
    for (; reversed & bit; bit >>= 1) reversed ^= bit;
    reversed ^= bit;
    if (index < reversed) {
      for (const part of [real, imaginary]) {
        const kept = part[index] ?? 0;
        part[index] = part[reversed] ?? 0;
        part[reversed] = kept;
      }
    }
  }
  for (let span = 2; span <= size; span *= 2) {
    for (let start = 0; start < size; start += span) {
      for (let offset = 0; offset < span / 2; offset += 1) {
        const [a, b] = [start + offset, start + offset + span / 2];
        const angle = (-2 * Math.PI * offset) / span;
        const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
        const [br, bi] = [real[b] ?? 0, imaginary[b] ?? 0];
        const [tr, ti] = [br * cos - bi * sin, br * sin + bi * cos];
        const [ar, ai] = [real[a] ?? 0, imaginary[a] ?? 0];
        [real[a], imaginary[a]] = [ar + tr, ai + ti];
        [real[b], imaginary[b]] = [ar - tr, ai - ti];
      }
    }
  }
}
