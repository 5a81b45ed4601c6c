import { score } from '@faultline/contracts';
import { FaultlineError, type Handlers } from '@faultline/service-kit';
import type { ScoreSurroundings } from './score-surroundings.ts';

const { VICTIM_STATE_REACHABLE, VICTIM_STATE_UNREACHABLE, VICTIM_STATE_UNUSABLE } = score.VictimState;

/** An inference service that takes longer to say what it is would be no use in a list that people wait for. */
const STATUS_DEADLINE_MS = 5_000;

/** Victims: which there are, and how they stand. */
export function victimHandlers(
  around: ScoreSurroundings,
): Pick<Handlers<typeof score.ScoreServiceService>, 'listVictims'> {
  const { services } = around;

  async function statusOf(name: string, signal: AbortSignal): Promise<score.VictimStatus> {
    const address = services.addressOf(name);
    try {
      const victim = await services.describe(name, signal, STATUS_DEADLINE_MS);
      const { card, dims, protocolVersion, runtime, threads, optimizeSlots, maxExamples } = victim;
      const taps = card.taps.flatMap((tap) => {
        const size = dims.get(tap.name);
        return size === undefined ? [] : [{ name: tap.name, dims: [...size] }];
      });
      const state = VICTIM_STATE_REACHABLE;
      const known = { card, taps, protocolVersion, runtime, threads, optimizeSlots, maxExamples };
      return { name, address, state, reason: '', ...known };
    } catch (thrown) {
      signal.throwIfAborted();
      const error = FaultlineError.from(thrown);
      const state = error.code === 'failed_precondition' ? VICTIM_STATE_UNUSABLE : VICTIM_STATE_UNREACHABLE;
      return score.VictimStatus.fromPartial({ name, address, state, reason: error.message });
    }
  }

  return {
    async listVictims(_request, { signal }) {
      return { victims: await Promise.all(services.victimNames.map((name) => statusOf(name, signal))) };
    },
  };
}
