/**
 * Holm's step-down correction: adjusted p-values of several comparisons, in the order of the input, so that calling those below
 * alpha significant makes any false claim at all with a probability of at most alpha, whatever the comparisons' dependence.
 *
 * With the p-values sorted ascending, p_(1) ... p_(m): adjusted p_(k) = min(1, max over j <= k of (m - j + 1) p_(j)).
 * Source: S. Holm, Scandinavian Journal of Statistics 6 (1979).
 * @throws RangeError when a p-value is outside [0, 1].
 */
export function holmAdjusted(pValues: readonly number[]): number[] {
  const wrong = pValues.find((p) => !(p >= 0 && p <= 1));
  if (wrong !== undefined) throw new RangeError(`p-values must be in [0, 1] but one is ${wrong}`);
  const ascending = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const adjusted = new Array<number>(pValues.length).fill(0);
  let largest = 0;
  for (const [rank, { p, index }] of ascending.entries()) {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * p));
    adjusted[index] = largest;
  }
  return adjusted;
}
