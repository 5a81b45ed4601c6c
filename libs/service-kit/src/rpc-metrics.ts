import { status as Status } from '@grpc/grpc-js';
import { metrics } from '@opentelemetry/api';

/** In seconds: from a prediction of one clip to a campaign that is watched for hours. */
const BOUNDARIES = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

const MS_PER_S = 1_000;

/** Durations of served calls, as the semantic conventions of OpenTelemetry name them. */
export class CallDurations {
  /** Telemetry must have been started before. */
  readonly #histogram = metrics.getMeter('@faultline/service-kit').createHistogram('rpc.server.call.duration', {
    unit: 's',
    description: 'Duration of calls, from the first byte of the request to the status.',
    advice: { explicitBucketBoundaries: BOUNDARIES },
  });

  record(method: string, status: Status, milliseconds: number): void {
    this.#histogram.record(milliseconds / MS_PER_S, {
      'rpc.system.name': 'grpc',
      'rpc.method': method,
      'rpc.response.status_code': Status[status],
    });
  }
}
