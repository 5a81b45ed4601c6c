import { inference } from '@faultline/contracts';
import { type Client, connect, register, startServer } from '@faultline/service-kit';
import { Admission } from '../admission.ts';
import { Compute, type TurnObserver } from '../compute.ts';
import { inferenceHandlers } from '../service.ts';
import { victimFolder } from './two-layer-victim.ts';

const definition = inference.InferenceServiceService;

export interface ServedVictim extends AsyncDisposable {
  readonly address: string;
  readonly compute: Compute;
  readonly admission: Admission;
  /** A client of the bare contract. */
  readonly client: Client<typeof definition>;
}

export interface ServedVictimOptions {
  readonly slots?: number;
  readonly bytes?: number;
  readonly idleTimeoutMs?: number;
  readonly observe?: TurnObserver;
}

/** Longer than any test. */
const PATIENT_MS = 60_000;

/** The service on the two-layer victim, with its compute thread, in this process. */
export async function serveVictim(options: ServedVictimOptions = {}): Promise<ServedVictim> {
  const { slots = 2, bytes = 2 ** 26, idleTimeoutMs = PATIENT_MS, observe } = options;
  const files = await victimFolder();
  const compute = await Compute.start({ victimDir: files.folder, threads: 1, optimizeSlots: slots }, observe);
  const admission = new Admission({ slots, bytes });
  const server = await startServer({
    name: 'inference',
    host: '127.0.0.1',
    port: 0,
    services: [register(definition, inferenceHandlers({ compute, admission, idleTimeoutMs }))],
    ready: () => compute.alive,
    drainTimeoutMs: 0,
    onClose: () => compute[Symbol.asyncDispose](),
  });
  const client = connect(definition, server.address);
  return {
    address: server.address,
    compute,
    admission,
    client,
    async [Symbol.asyncDispose]() {
      client.close();
      await server.close();
      await files[Symbol.asyncDispose]();
    },
  };
}
