import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { FaultlineError } from './errors.ts';
import { pause } from './pause.ts';
import type { Handlers } from './service-definition.ts';

// grpc.health.v1 (grpc/grpc-proto, health.proto): two messages of one field each, written by hand.

export const ServingStatus = { UNKNOWN: 0, SERVING: 1, NOT_SERVING: 2, SERVICE_UNKNOWN: 3 } as const;
export type ServingStatus = (typeof ServingStatus)[keyof typeof ServingStatus];

export interface HealthCheckRequest {
  /** Full service name, e.g. `faultline.score.v1alpha1.ScoreService`; empty for the whole server. */
  service: string;
}

export interface HealthCheckResponse {
  status: ServingStatus;
}

const SERVICE_TAG = (1 << 3) | 2;
const STATUS_TAG = 1 << 3;

function encodeRequest(value: HealthCheckRequest): Buffer {
  return Buffer.from(new BinaryWriter().uint32(SERVICE_TAG).string(value.service).finish());
}

function decodeRequest(bytes: Buffer): HealthCheckRequest {
  const request: HealthCheckRequest = { service: '' };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) request.service = reader.string();
    else reader.skip(wireType, field);
  }
  return request;
}

function encodeResponse(value: HealthCheckResponse): Buffer {
  return Buffer.from(new BinaryWriter().uint32(STATUS_TAG).int32(value.status).finish());
}

function decodeResponse(bytes: Buffer): HealthCheckResponse {
  const response: HealthCheckResponse = { status: ServingStatus.UNKNOWN };
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === 1) response.status = toServingStatus(reader.int32());
    else reader.skip(wireType, field);
  }
  return response;
}

function toServingStatus(value: number): ServingStatus {
  return Object.values(ServingStatus).find((status) => status === value) ?? ServingStatus.UNKNOWN;
}

const codec = {
  requestSerialize: encodeRequest,
  requestDeserialize: decodeRequest,
  responseSerialize: encodeResponse,
  responseDeserialize: decodeResponse,
} as const;

/** The standard health service: `connect(HealthService, address).check({ service: '' })`. */
export const HealthService = {
  check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...codec },
  watch: { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true, ...codec },
} as const;

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
