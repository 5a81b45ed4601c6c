import { health } from '@faultline/contracts';
import { FaultlineError } from './errors.ts';
import { pause } from './pause.ts';
import type { Handlers } from './service-definition.ts';

/** The standard health service: `connect(HealthService, address).check({ service: '' })`. */
export const HealthService = health.HealthService;

export const ServingStatus = health.HealthCheckResponse_ServingStatus;
export type ServingStatus = health.HealthCheckResponse_ServingStatus;

/** `ready` is asked rather than told, so a watch looks again this often. */
const WATCH_INTERVAL_MS = 250;

/** Health handlers of a server: SERVING exactly while `serving()` holds, for the server and for each of its services. */
export function healthHandlers(services: ReadonlySet<string>, serving: () => boolean): Handlers<typeof HealthService> {
  const current = (): ServingStatus => (serving() ? ServingStatus.SERVING : ServingStatus.NOT_SERVING);
  const known = (service: string) => service === '' || services.has(service);
  return {
    async check({ service }) {
      if (!known(service)) throw new FaultlineError('not_found', `this server has no service '${service}'`);
      return { status: current() };
    },
    async *watch({ service }, { signal }) {
      let last: ServingStatus | undefined;
      while (!signal.aborted) {
        const status = known(service) ? current() : ServingStatus.SERVICE_UNKNOWN;
        if (status !== last) yield { status };
        last = status;
        await pause(WATCH_INTERVAL_MS, signal);
      }
    },
  };
}
