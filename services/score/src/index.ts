export { type ScoreConfig, scoreConfig } from './config.ts';
export { startScore } from './start-score.ts';
