import { FaultlineError } from '@faultline/service-kit';
import type { Victim } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';

/** The victims of the service's configuration. Names, not addresses, are what callers know. */
export class Victims implements AsyncDisposable {
  readonly #byName: ReadonlyMap<string, RemoteVictim>;

  /** Connects to each victim at its first use. */
  constructor(addresses: Readonly<Record<string, string>>) {
    this.#byName = new Map(Object.entries(addresses).map(([name, address]) => [name, new RemoteVictim(address)]));
  }

  /** @throws FaultlineError not_found for a name that is not configured; it lists those that are. */
  get(name: string): Victim {
    const victim = this.#byName.get(name);
    if (victim !== undefined) return victim;
    const known = [...this.#byName.keys()].sort().join(', ') || 'none';
    throw new FaultlineError('not_found', `victim '${name}' is not configured; this service knows: ${known}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Array.from(this.#byName.values(), (victim) => victim[Symbol.asyncDispose]()));
  }
}
