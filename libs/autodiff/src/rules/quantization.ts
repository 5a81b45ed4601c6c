import { type DataType, intAttribute } from '@faultline/onnx';
import { normalAxes, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** Levels of the quantised types. */
const LEVELS: Readonly<Partial<Record<DataType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

/** A scale or zero point per slice of the quantised axis, shaped to broadcast. */
function alongAxis(c: RuleContext, value: Value): Value {
  if (value.dims.length === 0) return value;
  if (intAttribute(c.node, 'block_size', 0) !== 0) throw c.fail('scales per block have no rule');
  const rank = c.input(0).dims.length;
  const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', 1)], rank);
  const [size = 1] = value.dims;
  return size === 1
    ? c.e.reshape(value, [])
    : c.e.reshape(value, [size, ...new Array<number>(rank - 1 - axis).fill(1)]);
}

/**
 * Rounding passes the gradient as if it were the identity (straight-through estimation, Bengio et al. 2013); values beyond
 * the levels are clipped and pass none.
 */
function throughLevels(c: RuleContext, scale: Value, zeroPoint: Value | undefined): Value {
  const { e } = c;
  const x = c.input(0);
  const levels = LEVELS[c.output().dataType];
  if (levels === undefined) throw c.fail(`quantisation to ${c.output().dataType} has no rule`);
  const [low, high] = levels.map((level) => e.scalar(level, x.dataType));
  const level = e.divide(x, scale);
  const shifted = zeroPoint === undefined ? level : e.add(level, e.cast(zeroPoint, x.dataType));
  const inside =
    low &&
    high &&
    e.multiply(
      e.cast(e.compare('GreaterOrEqual', shifted, low), x.dataType),
      e.cast(e.compare('LessOrEqual', shifted, high), x.dataType),
    );
  const g = e.divide(c.broadcastGrad(), scale);
  return inside === undefined ? g : e.multiply(g, inside);
}

export const quantizeLinear: Rule = (c) => [
  () => throughLevels(c, alongAxis(c, c.input(1)), c.has(2) ? alongAxis(c, c.input(2)) : undefined),
];

/** Scale and zero point, which follow the value's extrema, are taken for constants. */
export const dynamicQuantizeLinear: Rule = (c) => [() => throughLevels(c, c.output(1), c.output(2))];

export const dequantizeLinear: Rule = (c) => [() => c.e.multiply(c.broadcastGrad(), alongAxis(c, c.input(1)))];
