export { MAX_EXAMPLES } from './batch-check.ts';
export { composeBody, composeVictim, MODEL_PREFIX } from './compose-victim.ts';
export { type ExaminedVictim, examineVictim } from './gradient-support.ts';
export { LocalVictim, type LocalVictimOptions } from './local-victim.ts';
export { fillNoise, type NoiseDraw } from './noise.ts';
export { openPredictorLoop, type PredictedVictim } from './predictor-loop.ts';
export { ProgramError } from './program.ts';
export { readVictimFiles, sha256Of, type VictimFiles } from './victim-files.ts';
