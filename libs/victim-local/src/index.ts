export { composeBody, composeVictim, MODEL_PREFIX } from './compose-victim.ts';
export { type ExaminedVictim, examineVictim } from './gradient-support.ts';
export { LocalVictim, type LocalVictimOptions, MAX_EXAMPLES } from './local-victim.ts';
export { fillNoise } from './noise.ts';
export { ProgramError } from './program.ts';
export { readVictimFiles, sha256Of, type VictimFiles } from './victim-files.ts';
