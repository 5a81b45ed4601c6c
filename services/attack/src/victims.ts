import { NamedTargets } from '@faultline/service-kit';
import type { Victim } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';

/** The victims of the service's configuration. Names, not addresses, are what callers know. */
export class Victims implements AsyncDisposable {
  readonly #victims: NamedTargets<RemoteVictim>;

  /** Connects to each victim at its first use. */
  constructor(addresses: Readonly<Record<string, string>>) {
    this.#victims = new NamedTargets('victim', addresses, (address) => new RemoteVictim(address));
  }

  /** @throws FaultlineError not_found for a name that is not configured; it lists those that are. */
  get(name: string): Victim {
    return this.#victims.get(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#victims.targets.map((victim) => victim[Symbol.asyncDispose]()));
  }
}
