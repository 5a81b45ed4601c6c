import type { victim } from '@faultline/contracts';
import { modelOf } from '@faultline/onnx';
import { Session, type SessionOptions } from '@faultline/ort';
import { exampleDims, type Loop, type LoopPlan, type Parameters } from '@faultline/victim';
import { PROGRAM_BYTES } from './footprint.ts';
import { LocalLoop } from './loop.ts';
import { loopRules } from './loop-rules.ts';
import { type Predictor, PredictorEvaluator } from './predictor-evaluator.ts';
import { readPrograms } from './program.ts';
import { type ShapedProgram, shapeProgram, shapePrograms } from './program-shape.ts';
import { settingOf, type VictimShapes } from './setting.ts';

/** A victim that is asked for predictions alone, and what its card says of them. */
export interface PredictedVictim {
  readonly card: victim.Card;
  readonly predictor: Predictor;
}

/**
 * Opens a loop of mode evaluate whose programs run here, in front of a predictor anywhere: the same programs as beside the weights.
 * Each evaluation is one call of the predictor, with a row for each example and sample.
 * @throws RangeError for a plan that needs gradients or taps, ProgramError for programs that may not run.
 */
export async function openPredictorLoop(
  { card, predictor }: PredictedVictim,
  plan: LoopPlan,
  parameters: Parameters,
  options: SessionOptions = {},
): Promise<Loop> {
  if (plan.mode !== 'evaluate')
    throw new RangeError("a predictor gives no gradients; open the loop in mode 'evaluate'");
  const shapes: VictimShapes = {
    inputs: new Map(card.inputs.map((input) => [input.name, exampleDims(input)])),
    taps: new Map(),
    labels: card.labels.length,
  };
  const setting = settingOf(plan, shapes);
  const programs = await shapePrograms(readPrograms(plan.programs), (program) => shapeProgram(program, setting));
  const rules = loopRules(card, setting, programs, PROGRAM_BYTES);
  rules.checkPlan(plan);
  await using opened = new AsyncDisposableStack();
  const load = async ({ graph }: ShapedProgram) => opened.use(await Session.create(modelOf(graph), options));
  const machine = {
    ...rules,
    evaluator: opened.use(await PredictorEvaluator.create(predictor, setting, programs, options)),
    step: await load(programs.step),
    init: programs.init && (await load(programs.init)),
  };
  const sessions = opened.move();
  try {
    const loop = await LocalLoop.create({ ...machine, close: () => sessions.disposeAsync() }, plan);
    if (plan.programs.init !== undefined) await loop.restart(parameters);
    return loop;
  } catch (error) {
    await sessions.disposeAsync();
    throw error;
  }
}
