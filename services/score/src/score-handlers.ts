import type { score } from '@faultline/contracts';
import type { Handlers } from '@faultline/service-kit';
import { campaignHandlers } from './campaign-handlers.ts';
import { collectGarbage } from './garbage/collect-garbage.ts';
import { predict } from './prediction/predict.ts';
import type { ScoreSurroundings } from './score-surroundings.ts';
import { handleScore } from './scoring/score-handler.ts';
import { ScoreMemory } from './scoring/score-memory.ts';
import { victimHandlers } from './victim-handlers.ts';

/** The handlers of faultline.score.v1alpha1.ScoreService. */
export function scoreHandlers(around: ScoreSurroundings): Handlers<typeof score.ScoreServiceService> {
  const memory = new ScoreMemory();
  return {
    ...campaignHandlers(around),
    ...victimHandlers(around),
    predict: (request, { signal }) => predict(request, around, signal),
    score: (request, call) => handleScore(request, { ...around, memory }, call),
    async collectGarbage(request) {
      const [store, artefacts] = await Promise.all([around.store, around.artefacts]);
      return collectGarbage(request, { store, artefacts, runsDir: around.runsDir });
    },
  };
}
