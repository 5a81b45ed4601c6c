/** Coefficients of a rational function, lowest power first. */
type Rational = { readonly numerator: readonly number[]; readonly denominator: readonly number[] };

// Algorithm AS 241 (PPND16), M. J. Wichura, Applied Statistics 37 (1988): relative accuracy about 1e-16.
const CENTRAL: Rational = {
  numerator: [
    3.3871328727963665, 133.14166789178438, 1971.5909503065513, 13731.69376550946, 45921.95393154987, 67265.7709270087,
    33430.57558358813, 2509.0809287301227,
  ],
  denominator: [
    1, 42.31333070160091, 687.1870074920579, 5394.196021424751, 21213.794301586597, 39307.89580009271,
    28729.085735721943, 5226.495278852854,
  ],
};
const MIDDLE: Rational = {
  numerator: [
    1.4234371107496835, 4.630337846156546, 5.769497221460691, 3.6478483247632045, 1.2704582524523684,
    0.2417807251774506, 0.022723844989269184, 0.0007745450142783414,
  ],
  denominator: [
    1, 2.053191626637759, 1.6763848301838038, 0.6897673349851, 0.14810397642748008, 0.015198666563616457,
    0.0005475938084995345, 1.0507500716444169e-9,
  ],
};
const TAIL: Rational = {
  numerator: [
    6.657904643501103, 5.463784911164114, 1.7848265399172913, 0.29656057182850487, 0.026532189526576124,
    0.0012426609473880784, 0.000027115555687434876, 2.0103343992922881e-7,
  ],
  denominator: [
    1, 0.599832206555888, 0.1369298809227358, 0.014875361290850615, 0.0007868691311456133, 0.000018463183175100548,
    1.421511758316446e-7, 2.0442631033899397e-15,
  ],
};
const CENTRAL_HALF_WIDTH = 0.425;
const CENTRAL_SHIFT = 0.180625;
const TAIL_START = 5;
const MIDDLE_SHIFT = 1.6;

function polynomial(coefficients: readonly number[], x: number): number {
  return coefficients.reduceRight((sum, coefficient) => sum * x + coefficient, 0);
}

function evaluate(rational: Rational, x: number): number {
  return polynomial(rational.numerator, x) / polynomial(rational.denominator, x);
}

/**
 * Inverse of the standard normal distribution function, Phi^-1(probability).
 *
 * Minus infinity at 0, infinity at 1. Source: Wichura 1988, algorithm AS 241.
 * @throws RangeError when `probability` is outside [0, 1].
 */
export function normalInverseCdf(probability: number): number {
  if (!(probability >= 0 && probability <= 1)) {
    throw new RangeError(`probability must be in [0, 1] but is ${probability}`);
  }
  if (probability === 0) return Number.NEGATIVE_INFINITY;
  if (probability === 1) return Number.POSITIVE_INFINITY;
  const centred = probability - 0.5;
  if (Math.abs(centred) <= CENTRAL_HALF_WIDTH) return centred * evaluate(CENTRAL, CENTRAL_SHIFT - centred * centred);
  const radius = Math.sqrt(-Math.log(Math.min(probability, 1 - probability)));
  const magnitude =
    radius <= TAIL_START ? evaluate(MIDDLE, radius - MIDDLE_SHIFT) : evaluate(TAIL, radius - TAIL_START);
  return centred < 0 ? -magnitude : magnitude;
}
