import type { score } from '@faultline/contracts';
import { FaultlineError, type Handlers } from '@faultline/service-kit';
import { campaignHandlers } from './campaign-handlers.ts';
import type { ScoreSurroundings } from './score-surroundings.ts';
import { victimHandlers } from './victim-handlers.ts';

/** The handlers of faultline.score.v1alpha1.ScoreService. */
export function scoreHandlers(around: ScoreSurroundings): Handlers<typeof score.ScoreServiceService> {
  return {
    ...campaignHandlers(around),
    ...victimHandlers(around),
    async predict() {
      throw new FaultlineError('unimplemented', 'Predict is not served yet');
    },
    // biome-ignore lint/correctness/useYield: it refuses
    async *score() {
      throw new FaultlineError('unimplemented', 'Score is not served yet');
    },
    async collectGarbage() {
      throw new FaultlineError('unimplemented', 'CollectGarbage is not served yet');
    },
  };
}
