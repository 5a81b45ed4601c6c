import { type DataType, intAttribute } from '@faultline/onnx';
import { fixedSize, normalAxes, range, type Value } from '../dims.ts';
import type { Rule, RuleContext } from '../rule.ts';

/** Levels of the quantised types. */
const LEVELS: Readonly<Partial<Record<DataType, readonly [number, number]>>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  uint16: [0, 65535],
};

const axisOf = (c: RuleContext): number => {
  const [axis = 0] = normalAxes([intAttribute(c.node, 'axis', 1)], c.input(0).dims.length);
  return axis;
};

/** A scale or zero point per value, per slice of the quantised axis or per block along it, shaped to broadcast. */
function alongAxis(c: RuleContext, value: Value): Value {
  if (value.dims.length === 0) return value;
  const axis = axisOf(c);
  const { dims } = c.input(0);
  const block = intAttribute(c.node, 'block_size', 0);
  if (block !== 0) {
    const size = fixedSize(dims, axis, 'quantisation by blocks');
    return c.e.arrange(
      value,
      axis,
      range(0, size).map((at) => Math.floor(at / block)),
    );
  }
  const [size = 1] = value.dims;
  return size === 1
    ? c.e.reshape(value, [])
    : c.e.reshape(value, [size, ...new Array<number>(dims.length - 1 - axis).fill(1)]);
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

/** The scale's gradient would be that of the rounding error: it has no rule. */
export const quantizeLinear: Rule = (c) => [
  () => throughLevels(c, alongAxis(c, c.input(1)), c.has(2) ? alongAxis(c, c.input(2)) : undefined),
];

/** Scale and zero point, which follow the value's extrema, are taken for constants. */
export const dynamicQuantizeLinear: Rule = (c) => [() => throughLevels(c, c.output(1), c.output(2))];

/** (levels - zero point) scale, which is exact for the scale too. */
export const dequantizeLinear: Rule = (c) => [
  () => c.e.multiply(c.broadcastGrad(), alongAxis(c, c.input(1))),
  () => {
    const { e } = c;
    const scale = c.input(1);
    if (intAttribute(c.node, 'block_size', 0) !== 0) throw c.fail('scales by block, if differentiated, have no rule');
    const levels = e.cast(c.input(0), scale.dataType);
    const centred = c.has(2) ? e.subtract(levels, e.cast(alongAxis(c, c.input(2)), scale.dataType)) : levels;
    const slopes = e.multiply(c.grad(), centred);
    const kept = scale.dims.length === 1 && scale.dims[0] !== 1 ? axisOf(c) : -1;
    const others = range(0, slopes.dims.length).filter((axis) => axis !== kept);
    return e.reshape(e.reduceSum(slopes, others, false), scale.dims);
  },
];

/** Rounding as if it were the identity. */
export const straightThrough: Rule = (c) => [() => c.broadcastGrad()];
