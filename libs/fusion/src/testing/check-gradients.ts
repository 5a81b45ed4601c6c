import assert from 'node:assert/strict';
import { differentiate } from '@faultline/autodiff';
import { modelOf } from '@faultline/onnx';
import { dryRun, Session } from '@faultline/ort';
import { buildVictim } from '../build-victim.ts';
import type { FeatureSpec } from '../designs.ts';
import type { VictimSpec } from '../specs.ts';
import { alongGradient, moved, pointOf, runAt } from './points.ts';

const BATCH = 3;
/** How much the summed logits are to rise: little, for they curve and kink, but well above float32's rounding. */
const RISE = 0.002;
const TOLERANCE = 0.02;
/** Parameters that change no logit: what all steps share leaves a softmax over steps as it is. */
const WITHOUT_EFFECT = /\.(key|attention)\.bias$/;

/** Directional derivatives of the summed logits against central differences, along inputs and along weights. */
export async function checkGradients(spec: VictimSpec | FeatureSpec): Promise<void> {
  const victim = buildVictim(spec);
  const types = await dryRun(victim.graph);
  const inputs = victim.inputs.map(({ name }) => name);
  const weights = victim.parameters.map(({ name }) => name);
  const wrt = [...inputs, ...weights];
  const gradient = differentiate({ graph: victim.graph, types, output: 'logits', wrt });
  await using session = await Session.create(modelOf(gradient));
  const point = pointOf(victim, BATCH);
  const gradients = await runAt(
    session,
    point,
    wrt.map((name) => `grad/${name}`),
  );
  const branchHead = /^(audio|video)\.head/;
  for (const [name, values] of gradients) {
    assert.ok(values.every(Number.isFinite), name);
    const parameter = name.slice('grad/'.length);
    if (WITHOUT_EFFECT.test(name) || (victim.auxiliaryLogits.length > 0 && branchHead.test(parameter))) continue;
    assert.ok(
      values.some((value) => value !== 0),
      `${name} is 0`,
    );
  }
  const sumAt = async (at: typeof point) =>
    (await runAt(session, at, ['logits'])).get('logits')?.reduce((sum, value) => sum + value, 0) ?? Number.NaN;
  for (const names of [inputs, weights]) {
    const { direction, slope } = alongGradient(point, gradients, names);
    const step = RISE / slope;
    const [ahead, behind] = [await sumAt(moved(point, direction, step)), await sumAt(moved(point, direction, -step))];
    const difference = (ahead - behind) / (2 * step);
    assert.ok(Math.abs(slope - difference) <= TOLERANCE * slope, `${names[0]}: ${slope}, differences ${difference}`);
  }
}
