import type { victim } from '@faultline/contracts';
import type { Dimension } from '@faultline/onnx';
import type { LoopBatch, LoopPlan } from '@faultline/victim';
import { checkLoopBatch, checkUploaded } from './batch-check.ts';
import { checkProgramBytes } from './footprint.ts';
import { stateShapes } from './loop-states.ts';
import { sharedParameters } from './parameters.ts';
import { listPrograms, type ShapedPrograms } from './program-shape.ts';
import type { EvaluationSetting } from './setting.ts';

/** What follows from a loop's programs before anything of it is computed. */
export interface LoopRules {
  readonly setting: EvaluationSetting;
  /** Axis sizes of each state by name; the first is 1 where it is shared. */
  readonly states: ReadonlyMap<string, readonly Dimension[]>;
  /** Names of parameters that have one value for all examples. */
  readonly sharedParameters: ReadonlySet<string>;
  /** Throws RangeError for a batch that is not complete, ProgramError where the programs need too much memory for it. */
  checkBatch(batch: LoopBatch): void;
  /** As `checkBatch`, and the constants too. */
  checkPlan(plan: LoopPlan): void;
}

/** @throws ProgramError for programs that disagree about a state or a parameter */
export function loopRules(
  card: victim.Card,
  setting: EvaluationSetting,
  programs: ShapedPrograms,
  programBytes: number,
): LoopRules {
  const shaped = listPrograms(programs);
  const checkBatch = (batch: LoopBatch) => {
    checkLoopBatch(card, setting, shaped, batch);
    checkProgramBytes(programs, setting, batch.exampleClips.length, programBytes);
  };
  return {
    setting,
    states: stateShapes(shaped),
    sharedParameters: sharedParameters(shaped),
    checkBatch,
    checkPlan: (plan) => {
      checkBatch(plan);
      checkUploaded('const', shaped, plan.constants);
    },
  };
}
