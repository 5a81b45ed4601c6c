export {
  ARCHITECTURE_NAMES,
  ARCHITECTURES,
  type Architecture,
  type ArchitectureName,
  MATCHED_FACTORS,
} from './architectures.ts';
export { buildVictim, type VictimGraph, type VictimInput, type VictimTap } from './build-victim.ts';
export { countMacs } from './count-macs.ts';
export { countParameters } from './count-parameters.ts';
export * from './designs.ts';
export type { Initialisation, Parameter, Purpose, Statistics, Weights } from './layers.ts';
export { matchParameters } from './match-parameters.ts';
export { scaleWidths } from './scale-widths.ts';
export * from './specs.ts';
export { VICTIM_NAMES, VICTIM_SPECS, type VictimName } from './victim-specs.ts';
