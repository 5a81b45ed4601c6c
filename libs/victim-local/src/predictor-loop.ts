import type { victim } from '@faultline/contracts';
import { modelOf } from '@faultline/onnx';
import { Session, type SessionOptions } from '@faultline/ort';
import { exampleDims, type Loop, type LoopBatch, type LoopPlan, type Parameters } from '@faultline/victim';
import { checkLoopBatch, checkUploaded } from './batch-check.ts';
import { checkProgramBytes, listPrograms, type ShapedPrograms } from './footprint.ts';
import { LocalLoop } from './loop.ts';
import { sharedParameters } from './parameters.ts';
import { type Predictor, PredictorEvaluator } from './predictor-evaluator.ts';
import { readPrograms } from './program.ts';
import { PROGRAM_BYTES, type ShapedProgram, shapeProgram, stateShapes } from './program-shape.ts';
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
  const { transform, objective, step, init } = readPrograms(plan.programs);
  const programs: ShapedPrograms = {
    transform: transform && (await shapeProgram(transform, setting)),
    objective: await shapeProgram(objective, setting),
    step: await shapeProgram(step, setting),
    init: init && (await shapeProgram(init, setting)),
  };
  const shaped = listPrograms(programs);
  const checkBatch = (batch: LoopBatch) => {
    checkLoopBatch(card, setting, shaped, batch);
    checkProgramBytes(programs, setting, batch.exampleClips.length, PROGRAM_BYTES);
  };
  checkBatch(plan);
  checkUploaded('const', shaped, plan.constants);
  const states = stateShapes(shaped);
  await using opened = new AsyncDisposableStack();
  const load = async ({ graph, program }: ShapedProgram) =>
    opened.use(await Session.create(modelOf(graph, program.opset), options));
  const machine = {
    setting,
    evaluator: opened.use(await PredictorEvaluator.create(predictor, setting, programs, options)),
    step: await load(programs.step),
    init: programs.init && (await load(programs.init)),
    states,
    sharedParameters: sharedParameters(shaped),
    checkBatch,
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
