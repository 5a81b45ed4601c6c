import { z } from 'zod';
import { jsonOf } from './config.ts';
import { FaultlineError } from './errors.ts';

const MAX_PORT = 65_535;
const HOST_AND_PORT = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/[\]]+):(\d{1,5})$/;
/** Targets of gRPC (naming.md) beside host:port. */
const RESOLVED_TARGET = /^(?:dns|ipv4|ipv6|unix|unix-abstract|xds):\S+$/;

/** A variable that holds where a service is: `host:port`, or a gRPC target such as `dns:///inference:5000`. */
export const targetAddress = z
  .string()
  .refine(isTarget, 'expected host:port, or a gRPC target such as dns:///inference:5000');

/** A variable that holds a JSON map of names to addresses: services know each other by name, only configuration knows where they are. */
export const addressMap = jsonOf(z.record(z.string().min(1), targetAddress));

function isTarget(address: string): boolean {
  const port = HOST_AND_PORT.exec(address)?.[1];
  if (port !== undefined) return Number(port) >= 1 && Number(port) <= MAX_PORT;
  return RESOLVED_TARGET.test(address);
}

/** What the names of a configuration stand for: one client a name, opened at once, connected at its first call. */
export class NamedTargets<Target> {
  readonly #kind: string;
  readonly #byName: ReadonlyMap<string, Target>;

  /**
   * @param kind what the names name, for error messages: `victim`
   * @param open makes the client of an address
   */
  constructor(kind: string, addresses: Readonly<Record<string, string>>, open: (address: string) => Target) {
    this.#kind = kind;
    this.#byName = new Map(Object.entries(addresses).map(([name, address]) => [name, open(address)]));
  }

  /** In the configuration's order. */
  get names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  get targets(): readonly Target[] {
    return [...this.#byName.values()];
  }

  /** @throws FaultlineError not_found for a name that is not configured; it lists those that are. */
  get(name: string): Target {
    const target = this.#byName.get(name);
    if (target !== undefined) return target;
    const known = [...this.#byName.keys()].sort().join(', ') || 'none';
    throw new FaultlineError('not_found', `${this.#kind} '${name}' is not configured; this service knows: ${known}`);
  }
}
