import type { Span } from '@opentelemetry/api';

/**
 * One method of a service definition as ts-proto generates it. The parameter types are `never` so that every concrete
 * definition is assignable; `RequestOf` and `ResponseOf` recover the exact types.
 */
export interface MethodDefinition {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (value: never) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => unknown;
  readonly responseSerialize: (value: never) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}

/** Methods by their key, e.g. the generated `inference.InferenceServiceService`. */
export type ServiceDefinition = Readonly<Record<string, MethodDefinition>>;

export type RequestOf<Method extends MethodDefinition> = ReturnType<Method['requestDeserialize']>;
export type ResponseOf<Method extends MethodDefinition> = ReturnType<Method['responseDeserialize']>;

/** What a handler knows about its call. */
export interface CallContext {
  /** Aborts when the client cancels or disappears, when the deadline passes, and when a drain runs out of patience. */
  readonly signal: AbortSignal;
  readonly deadline: Date | undefined;
  /** The server span; active (OpenTelemetry) while the handler runs. */
  readonly span: Span;
}

type UnaryHandler<Request, Response> = (request: Request, context: CallContext) => Promise<Response>;
type ServerStreamHandler<Request, Response> = (request: Request, context: CallContext) => AsyncIterable<Response>;
type ClientStreamHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => Promise<Response>;
type BidiHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  context: CallContext,
) => AsyncIterable<Response>;

/** The shape of a method: one of the four forms, chosen by the literal types of requestStream and responseStream. */
type ByForm<
  Method extends MethodDefinition,
  Unary,
  ServerStream,
  ClientStream,
  Bidi,
> = Method['requestStream'] extends true
  ? Method['responseStream'] extends true
    ? Bidi
    : ClientStream
  : Method['responseStream'] extends true
    ? ServerStream
    : Unary;

export type HandlerOf<Method extends MethodDefinition> = ByForm<
  Method,
  UnaryHandler<RequestOf<Method>, ResponseOf<Method>>,
  ServerStreamHandler<RequestOf<Method>, ResponseOf<Method>>,
  ClientStreamHandler<RequestOf<Method>, ResponseOf<Method>>,
  BidiHandler<RequestOf<Method>, ResponseOf<Method>>
>;

/** The functions that implement a service, by method key. */
export type Handlers<Definition extends ServiceDefinition> = {
  readonly [Key in keyof Definition]: HandlerOf<Definition[Key]>;
};

export interface CallOptions {
  /** Aborting cancels the call on both ends. */
  readonly signal?: AbortSignal;
  /** Time allowed for the whole call, in milliseconds; the caller's own deadline in `context` holds too. */
  readonly deadlineMs?: number;
  /** The call that this one is made for: its deadline and its cancellation are passed on. */
  readonly context?: CallContext;
}

/** An open stream in both directions. */
export interface BidiCall<Request, Response> {
  /** Resolves when the transport has taken the message (flow control); rejects with the call's error once it is over. */
  send(request: Request): Promise<void>;
  /** No more requests; responses still arrive. */
  end(): void;
  /** Iterate once. Leaving the loop early cancels the call; a status that is not OK is thrown as FaultlineError. */
  readonly responses: AsyncIterableIterator<Response>;
  cancel(): void;
}

/**
 * What a client streams: each request is drawn when the transport has taken the one before. When drawing throws, the call is
 * cancelled and the error is the caller's.
 */
export type RequestStream<Request> = AsyncIterable<Request> | Iterable<Request>;

export type CallerOf<Method extends MethodDefinition> = ByForm<
  Method,
  (request: RequestOf<Method>, options?: CallOptions) => Promise<ResponseOf<Method>>,
  (request: RequestOf<Method>, options?: CallOptions) => AsyncIterableIterator<ResponseOf<Method>>,
  (requests: RequestStream<RequestOf<Method>>, options?: CallOptions) => Promise<ResponseOf<Method>>,
  (options?: CallOptions) => BidiCall<RequestOf<Method>, ResponseOf<Method>>
>;

/** Keys of the methods without streams, which are the ones that may be retried. */
export type UnaryKey<Definition extends ServiceDefinition> = {
  [Key in keyof Definition]: ByForm<Definition[Key], Key, never, never, never>;
}[keyof Definition];

/** `package.Service` and `package.Service/Method` of a method, which is how telemetry names it. */
export function methodNames(definition: { readonly path: string }): {
  service: string;
  fullName: string;
  method: string;
} {
  const fullName = definition.path.replace(/^\//, '');
  const slash = fullName.lastIndexOf('/');
  return { service: fullName.slice(0, slash), fullName, method: fullName.slice(slash + 1) };
}
