import { elementCount } from '@faultline/contracts';
import { int } from '@faultline/onnx';
import type { ParameterSpecs } from './attack-parameters.ts';
import { bestSlot } from './best-point.ts';
import { candidates, type HopNorm, linePlaces, phaseOf, ramp, SAMPLES } from './hop-skip-jump-candidates.ts';
import { type Phase, type PhaseStep, phases, probeRadius } from './hop-skip-jump-schedule.ts';
import { defineMinimumNorm, type MinimumNormSetting, type ScaledVariable } from './minimum-norm.ts';
import { settingConstants, stepwise } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';
import { confined, euclideanLength } from './projection.ts';
import { affordedSteps, queriesParameter } from './query-budget.ts';
import { sampledMargin } from './sampled-margin.ts';
import { NO_SCALE, sizeOf } from './smallest-point.ts';

const PARAMETERS = {
  queries: queriesParameter(10_000),
  probes: {
    type: 'number',
    description: 'Probes of the first estimate; later ones take the square root of the iteration times as many.',
    minimum: SAMPLES,
    maximum: 100_000,
    default: 100,
    whole: true,
  },
} as const satisfies ParameterSpecs;

const SMALLEST_LENGTH = 1e-18;

/** Joint scale of the point, max_v |x - x0| / rho_v, [examples]. */
const jointScale = (
  b: ProgramBuilder,
  norm: HopNorm,
  variables: readonly ScaledVariable[],
  at: (name: string) => string,
) =>
  variables
    .map(({ name, dims, rho }) => b.over(sizeOf(b, norm, at(name), dims), b.scalar(rho)))
    .reduce((one, other) => b.op('Max', [one, other]));

/** Programs begin at the clean point, with nothing found in this start. */
function initProgram({ variables }: MinimumNormSetting<HopNorm>): Uint8Array {
  const b = new ProgramBuilder();
  const known = b.read('state/bestScale');
  const started = b.op('Greater', [known, b.scalar(0)]);
  b.write('next/state/bestScale', b.op('Where', [started, known, b.scalar(NO_SCALE)]));
  const none = b.times(known, b.scalar(0));
  for (const slot of ['found', 'low', 'scale', 'farScale', 'hits']) b.write(`next/state/${slot}`, none);
  b.write('next/state/high', b.plus(none, b.scalar(1)));
  b.write('next/state/asked', none);
  for (const { name, dims } of variables) {
    const x0 = b.read(`x0/${name}`, dims);
    const zeros = b.times(x0, b.scalar(0));
    b.write(`next/${name}`, x0, dims);
    b.write(`next/state/far/${name}`, x0, dims);
    b.write(`next/${bestSlot(name)}`, b.op('Where', [b.spread(started, dims), b.read(bestSlot(name), dims), x0]), dims);
    for (const slot of ['direction', 'hitSum', 'probeSum']) b.write(`next/state/${slot}/${name}`, zeros, dims);
  }
  return b.bytes('hop-skip-jump-init');
}

function transformProgram(setting: MinimumNormSetting<HopNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of setting.variables) {
    b.write(`seen/${variable.name}`, candidates(b, setting, variable, SAMPLES), [SAMPLES, ...variable.dims]);
  }
  return b.bytes('hop-skip-jump-transform');
}

/** Looks at which points were adversarial, and goes on from the first of them. Of the scores it reads on which side they are, and nothing else. */
function stepProgram(setting: MinimumNormSetting<HopNorm>): Uint8Array {
  const { variables, norm, reachedMargin, logitScale } = setting;
  const b = new ProgramBuilder();
  const float = (value: string) => b.op('Cast', [value], { to: int(1) });
  const phase = (wanted: Phase) => phaseOf(b, wanted);
  const choose = (where: string, one: string, other: string) =>
    b.op('Where', [b.op('Greater', [where, b.scalar(0)]), one, other]);
  const adversarial = float(b.op('LessOrEqual', [b.read('loss', [SAMPLES]), b.scalar(reachedMargin)]));
  const order = b.times(
    adversarial,
    ramp(b, (index) => SAMPLES - index),
  );
  const highest = b.reduceMax(order, [1]);
  const any = float(b.op('Greater', [b.reshape(highest, [-1]), b.scalar(0)]));
  const first = b.times(float(b.op('Equal', [order, highest])), adversarial);

  // What was found on the way: a probe is no place to go to, and a start only where nothing better is known.
  const seen = new Map(variables.map((variable) => [variable.name, candidates(b, setting, variable, 1)]));
  const picked = new Map(
    variables.map(({ name, dims }) => {
      const size = elementCount(dims);
      const rows = b.reshape(seen.get(name) ?? '', [-1, SAMPLES, size]);
      const weighted = b.times(rows, b.reshape(first, [-1, SAMPLES, 1]));
      return [name, b.reshape(b.reduceSum(weighted, [1], false), [-1, ...dims])];
    }),
  );
  const pickedScale = jointScale(b, norm, variables, (name) => {
    const dims = variables.find((variable) => variable.name === name)?.dims ?? [];
    return b.minus(picked.get(name) ?? '', b.read(`x0/${name}`, dims));
  });
  const found = b.read('state/found');
  const nearer = float(b.op('Less', [pickedScale, b.read('state/farScale')]));
  const better = b.op('Max', [b.minus(b.scalar(1), found), nearer]);
  const start = b.times(b.times(phase('start'), any), better);
  const move = b.times(phase('move'), any);
  const blend = b.times(phase('blend'), any);
  const jumps = b.plus(start, move);
  const goes = b.plus(jumps, blend);

  const known = b.read('state/bestScale');
  const improved = b.times(goes, float(b.op('Less', [pickedScale, known])));
  const bestScale = choose(improved, pickedScale, known);
  b.write('next/state/bestScale', bestScale);
  b.write('next/state/found', b.op('Max', [found, start]));
  b.write('next/state/scale', choose(goes, pickedScale, b.read('state/scale')));
  // A line begins at the point that the last jump reached, or at the boundary where the jump found nothing.
  const newLine = b.op('Max', [start, phase('move')]);
  b.write(
    'next/state/farScale',
    choose(newLine, choose(jumps, pickedScale, b.read('state/scale')), b.read('state/farScale')),
  );

  const places = linePlaces(b);
  const hit = b.reduceSum(b.times(places, first), [1], false);
  const spacing = b.times(b.minus(b.read('state/high'), b.read('state/low')), b.scalar(1 / (SAMPLES + 1)));
  const missedLow = b.minus(b.read('state/high'), spacing);
  const blendLow = b.op('Where', [b.op('Greater', [any, b.scalar(0)]), b.minus(hit, spacing), missedLow]);
  const reset = (value: string, fresh: number) => choose(newLine, b.scalar(fresh), value);
  b.write('next/state/low', reset(choose(phase('blend'), blendLow, b.read('state/low')), 0));
  b.write('next/state/high', reset(choose(blend, hit, b.read('state/high')), 1));

  // Estimate: sum of (answer - mean answer) x probe (equation 16). A new line forgets the old one.
  const probing = phase('probe');
  const keeps = b.minus(b.scalar(1), phase('move'));
  const answers = b.minus(b.times(adversarial, b.scalar(2)), b.scalar(1));
  const hits = b.times(keeps, b.plus(b.read('state/hits'), b.times(probing, b.reduceSum(answers, [1], false))));
  const asked = b.times(keeps, b.plus(b.read('state/asked'), b.times(probing, b.scalar(SAMPLES))));
  b.write('next/state/hits', hits);
  b.write('next/state/asked', asked);
  const mean = b.over(hits, b.op('Max', [asked, b.scalar(1)]));
  for (const variable of variables) {
    const { name, dims } = variable;
    const size = elementCount(dims);
    const noise = b.reshape(b.read(`noise/${name}`, [SAMPLES, ...dims]), [-1, SAMPLES, size]);
    const sum = (weights: string) => b.reshape(b.matmul(b.reshape(weights, [-1, 1, SAMPLES]), noise), [-1, ...dims]);
    const ones = b.plus(b.times(answers, b.scalar(0)), b.scalar(1));
    const gathered = (slot: string, weights: string) => {
      const more = b.times(sum(weights), b.spread(probing, dims));
      const total = b.times(b.plus(b.read(`state/${slot}/${name}`, dims), more), b.spread(keeps, dims));
      b.write(`next/state/${slot}/${name}`, total, dims);
      return total;
    };
    const estimate = confined(
      b,
      b.minus(gathered('hitSum', answers), b.times(gathered('probeSum', ones), b.spread(mean, dims))),
      variable,
    );
    b.write(`next/state/direction/${name}`, unit(b, norm, estimate, dims), dims);

    const spread = (value: string) => b.op('Greater', [b.spread(value, dims), b.scalar(0)]);
    const here = picked.get(name) ?? '';
    const x = b.read(`x/${name}`, dims);
    b.write(`next/${name}`, b.op('Where', [spread(goes), here, x]), dims);
    const far = b.read(`state/far/${name}`, dims);
    const jumped = b.op('Where', [spread(jumps), here, x]);
    b.write(`next/state/far/${name}`, b.op('Where', [spread(newLine), jumped, far]), dims);
    b.write(`next/${bestSlot(name)}`, b.op('Where', [spread(improved), here, b.read(bestSlot(name), dims)]), dims);
  }
  b.write('outcome/scale', b.op('Identity', [bestScale]));
  b.write('outcome/bestScale', b.op('Identity', [bestScale]));
  // No score is known: which side the best point is on, one logit scale away.
  const side = b.op('Where', [
    b.op('Less', [bestScale, b.scalar(NO_SCALE)]),
    b.scalar(-logitScale),
    b.scalar(logitScale),
  ]);
  b.write('outcome/margin', side);
  return b.bytes('hop-skip-jump-step');
}

/** The step of norm 1 along a direction: itself for L2, its signs for L-inf. */
function unit(b: ProgramBuilder, norm: HopNorm, direction: string, dims: readonly number[]): string {
  if (norm === 'linf') return b.op('Sign', [direction]);
  const length = b.op('Max', [euclideanLength(b, direction, dims), b.scalar(SMALLEST_LENGTH)]);
  return b.over(direction, b.spread(length, dims));
}

/**
 * From the boundary, by decisions alone: an estimate of the direction into the adversarial region, a jump along it, and back to the boundary on the
 * line to the clean point; the smallest adversarial point is kept.
 * Source: Chen et al. 2020, "HopSkipJumpAttack: A Query-Efficient Decision-Based Attack", algorithm 2. Points are asked for by the batch: strides and
 * places on the line are tried side by side instead of one after another, and the first point is the quietest adversarial one of ever louder noise.
 */
export const hopSkipJump = defineMinimumNorm({
  name: 'hop_skip_jump',
  summary: 'Walks along the decision boundary towards the clean point; knows the active labels of its queries alone.',
  source: 'Chen et al. 2020, arXiv 1904.02144',
  knowledge: 'labels',
  norms: ['linf', 'l2'],
  // Which label is the highest cannot be seen from which are active.
  goals: ['deactivate all', 'deactivate one', 'fabricate one'],
  parameters: PARAMETERS,
  plan(setting, values) {
    const steps = affordedSteps(values.queries, SAMPLES);
    const coordinates = setting.variables.reduce((sum, { dims }) => sum + elementCount(dims), 0);
    const schedule = phases(Math.max(1, steps), { coordinates, samples: SAMPLES, probes: values.probes });
    // Probes are drawn with one in each coordinate.
    const perCoordinate = setting.norm === 'l2' ? Math.sqrt(coordinates) : 1;
    const radius = probeRadius(coordinates, SAMPLES) / perCoordinate;
    return {
      programs: {
        transform: transformProgram(setting),
        objective: sampledMargin(setting, SAMPLES),
        step: stepProgram(setting),
        init: initProgram(setting),
      },
      noise: 'normal',
      constants: settingConstants(setting),
      mode: 'evaluate',
      samples: { count: SAMPLES, gradient: 'mean' },
      steps,
      initParameters: () => ({}),
      stepParameters(examples, first, count) {
        const rows: readonly PhaseStep[] = schedule.slice(first, first + Math.max(1, count));
        const each = (value: (row: PhaseStep) => number) => stepwise(rows.map(value), examples.length);
        return {
          start: each(({ phase }) => (phase === 'start' ? 1 : 0)),
          blend: each(({ phase }) => (phase === 'blend' ? 1 : 0)),
          probe: each(({ phase }) => (phase === 'probe' ? 1 : 0)),
          move: each(({ phase }) => (phase === 'move' ? 1 : 0)),
          stride: each(({ stride }) => stride),
          radius: each(() => radius),
        };
      },
    };
  },
});
