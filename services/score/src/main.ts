import { loadConfig, runService } from '@faultline/service-kit';
import { scoreConfig } from './config.ts';
import { startScore } from './start-score.ts';

runService(() =>
  // An unhandled failure ends the process with its message: without the database there is nothing to serve.
  startScore(loadConfig(scoreConfig), (error) =>
    setImmediate(() => {
      throw error;
    }),
  ),
);
