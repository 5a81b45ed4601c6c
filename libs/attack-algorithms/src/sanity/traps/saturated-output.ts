import { float32, type GraphBuilder } from '@faultline/onnx';
import { replaceOutput } from './replace-value.ts';
import { logUniform, pick, type Random, type Trap, type TrapSetting } from './trap.ts';

type Saturation = (b: GraphBuilder, value: string) => string;

/** Odd functions onto [-1, 1] whose slope is 0 in single precision where their argument is large. */
const SATURATIONS: readonly [readonly [string, Saturation], ...(readonly [string, Saturation])[]] = [
  ['Tanh', (b, value) => b.op('Tanh', [value])],
  ['Erf', (b, value) => b.op('Erf', [value])],
  ['Sigmoid', (b, value) => b.minus(b.times(b.op('Sigmoid', [value]), b.scalar(2)), b.scalar(1))],
  ['Clip', (b, value) => b.op('Clip', [value, b.scalar(-1), b.scalar(1)])],
];

/** Steepness of the function in the victim's own spread of logits, and the spread of what comes out. */
const STEEPNESS = [100, 10_000] as const;
const SPREAD = [0.5, 4] as const;

/**
 * z' = t + c f(a (z - t) / s): every label stays on its side of its threshold, so that the victim decides as before, but its slope is 0
 * wherever it is sure. The original is the same decision with its gradient.
 */
export function saturatedOutput({ graph, card }: TrapSetting, random: Random): Trap {
  const [name, saturate] = pick(random, SATURATIONS);
  const steepness = logUniform(random, ...STEEPNESS);
  const spread = logUniform(random, ...SPREAD);
  const masked = replaceOutput(graph, card.logits, (b, logits) => {
    const thresholds = b.constant(float32(card.labels.map(({ threshold }) => threshold)));
    const height = b.times(b.minus(logits, thresholds), b.scalar(steepness / card.logitScale));
    return b.plus(thresholds, b.times(saturate(b, height), b.scalar(spread)));
  });
  return { masked, revealed: graph, logitScale: spread, drawn: `${name}, steepness ${steepness.toFixed(0)}` };
}
