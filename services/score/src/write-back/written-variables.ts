import type { attack, score } from '@faultline/contracts';
import type { Grid } from '@faultline/media/write-back';
import { type BudgetMeasure, peakSignalToNoiseDb, perturbationSize, signalToNoiseDb } from '@faultline/metrics';
import { budgetMeasure } from '@faultline/victim';
import { type ClipInputs, toFloat32 } from '../peers/tensor-rows.ts';
import { gridSize, type InputLevels, keptShare } from './levels.ts';

type Values = Float32Array | Uint8Array;

/**
 * What is left of the perturbation of each attacked variable.
 * @param clean inputs of the clean clip's file.
 * @param adversarial inputs of the example's file; undefined when there was nothing to write.
 */
export function writtenVariables(
  threatModel: attack.ThreatModel,
  scale: number,
  inputs: readonly InputLevels[],
  clean: ClipInputs,
  adversarial: ClipInputs | undefined,
): score.WrittenVariable[] {
  return threatModel.variables.flatMap((budget): score.WrittenVariable[] => {
    const { variable, rho } = budget;
    const own = inputs.find(({ input }) => input.name === variable);
    const cleanFile = clean.get(variable)?.data;
    if (own === undefined || cleanFile === undefined) return [];
    const file = adversarial?.get(variable)?.data;
    const measure = budgetMeasure(threatModel, budget, own.input);
    const decibels = own.input.kind?.$case === 'waveform' ? signalToNoiseDb : peakSignalToNoiseDb;
    return [
      {
        variable,
        epsilon: scale * rho,
        step: 1 / own.grid.steps,
        kept: keptShare(own),
        writtenNorm: gridSize(measure, own.levels, own.grid),
        decodedNorm: file === undefined ? undefined : decodedSize(measure, file, cleanFile, own.grid),
        decibels: file === undefined ? undefined : (decibels(toFloat32(file), toFloat32(cleanFile)) ?? undefined),
        formDecibels: decibels(toFloat32(cleanFile), own.values.clean) ?? undefined,
      },
    ];
  });
}

/** Of pixels in whole levels, for 8/255 - 0/255 in float32 is more than 8/255. */
function decodedSize(measure: BudgetMeasure, file: Values, clean: Values, grid: Grid): number {
  if (file instanceof Uint8Array) return gridSize(measure, { clean, adversarial: file }, grid);
  return perturbationSize(file, toFloat32(clean), measure);
}
