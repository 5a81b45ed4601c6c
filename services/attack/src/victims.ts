import type { AttackKnowledge } from '@faultline/attack-algorithms';
import { NamedTargets } from '@faultline/service-kit';
import type { Victim } from '@faultline/victim';
import { OipModel, RemoteVictim } from '@faultline/victim-grpc';
import { BlackBoxVictim } from './black-box-victim.ts';
import { isOipAddress, readOipAddress } from './oip-address.ts';

/** What a name stands for: how an attack with some knowledge sees it. */
interface Target extends AsyncDisposable {
  seenBy(knowledge: AttackKnowledge): Victim;
}

/** The victims of the service's configuration. Names, not addresses, are what callers know. */
export class Victims implements AsyncDisposable {
  readonly #victims: NamedTargets<Target>;

  /**
   * Connects to each victim at its first use.
   * @throws FaultlineError invalid_argument for an `oip:` address that cannot be used
   */
  constructor(addresses: Readonly<Record<string, string>>) {
    this.#victims = new NamedTargets('victim', addresses, openTarget);
  }

  /**
   * The victim as an attack with this knowledge sees it: labels alone, where that is all it knows and the victim is a black box.
   * @throws FaultlineError not_found for a name that is not configured, it lists those that are; failed_precondition for knowledge that a black box
   * does not give.
   */
  get(name: string, knowledge: AttackKnowledge): Victim {
    return this.#victims.get(name).seenBy(knowledge);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#victims.targets.map((victim) => victim[Symbol.asyncDispose]()));
  }
}

function openTarget(address: string): Target {
  if (!isOipAddress(address)) {
    const victim = new RemoteVictim(address);
    return { seenBy: () => victim, [Symbol.asyncDispose]: () => victim[Symbol.asyncDispose]() };
  }
  const { answers, ...options } = readOipAddress(address);
  const model = new OipModel(options);
  return {
    seenBy(knowledge) {
      const seesLabels = knowledge === 'labels' || (knowledge !== 'scores' && answers === 'labels');
      return new BlackBoxVictim(model, answers, seesLabels ? 'labels' : 'scores');
    },
    [Symbol.asyncDispose]: () => model[Symbol.asyncDispose](),
  };
}
