export { LocalVictim, type LocalVictimOptions, MAX_EXAMPLES } from './local-victim.ts';
export { fillNoise, type NoiseDistribution } from './noise.ts';
export { ProgramError } from './program.ts';
