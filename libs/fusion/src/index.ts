export { buildVictim, type VictimGraph, type VictimTap } from './build-victim.ts';
export { countMacs } from './count-macs.ts';
export type { Initialisation, Parameter, Purpose, Statistics, Weights } from './layers.ts';
export * from './specs.ts';
