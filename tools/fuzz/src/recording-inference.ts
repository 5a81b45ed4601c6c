import { inference } from '@faultline/contracts';
import { connect, register, startServer } from '@faultline/service-kit';

/** Requests as they went over the wire, by method: each entry is one call. */
export type Recorded = Map<string, Uint8Array[][]>;

const definition = inference.InferenceServiceService;

/** An inference service that passes everything on to another, and keeps what it was asked. */
export async function startRecordingInference(target: string, recorded: Recorded) {
  const real = connect(definition, target);
  const call = (path: string): Uint8Array[] => {
    const messages: Uint8Array[] = [];
    recorded.set(path, [...(recorded.get(path) ?? []), messages]);
    return messages;
  };
  const service = register(definition, {
    describe: (request, { signal }) => {
      call(definition.describe.path).push(inference.DescribeRequest.encode(request).finish());
      return real.describe(request, { signal });
    },
    predict: (request, { signal }) => {
      call(definition.predict.path).push(inference.PredictRequest.encode(request).finish());
      return real.predict(request, { signal });
    },
    differentiate: (request, { signal }) => {
      call(definition.differentiate.path).push(inference.DifferentiateRequest.encode(request).finish());
      return real.differentiate(request, { signal });
    },
    optimize: (requests, { signal }) => passOn(requests, real.optimize({ signal }), call(definition.optimize.path)),
  });
  const server = await startServer({ name: 'recorder', services: [service], host: '127.0.0.1', port: 0 });
  return {
    address: server.address,
    async [Symbol.asyncDispose]() {
      await server.close({ drainTimeoutMs: 0 });
      real.close();
    },
  };
}

interface OptimizeCall {
  send(request: inference.OptimizeRequest): Promise<void>;
  end(): void;
  cancel(): void;
  readonly responses: AsyncIterableIterator<inference.OptimizeResponse>;
}

async function* passOn(
  requests: AsyncIterable<inference.OptimizeRequest>,
  onward: OptimizeCall,
  messages: Uint8Array[],
): AsyncGenerator<inference.OptimizeResponse> {
  const sending = (async () => {
    for await (const request of requests) {
      messages.push(inference.OptimizeRequest.encode(request).finish());
      await onward.send(request);
    }
    onward.end();
  })();
  try {
    yield* onward.responses;
  } finally {
    onward.cancel();
    await sending.catch(() => undefined);
  }
}
