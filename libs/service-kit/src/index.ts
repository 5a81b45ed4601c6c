export { addressMap, NamedTargets, targetAddress } from './addresses.ts';
export { type Client, type ClientLifecycle, type ConnectOptions, connect } from './client.ts';
export {
  type CommonConfig,
  ConfigError,
  commonConfig,
  describeConfig,
  flag,
  jsonOf,
  loadConfig,
  variableName,
} from './config.ts';
export { type ErrorCode, FaultlineError, type FaultlineErrorOptions, type FieldViolation } from './errors.ts';
export { HealthService, ServingStatus } from './health.ts';
export { MAX_MESSAGE_BYTES } from './limits.ts';
export { type Log, type LogLevel, logger, setLogLevel } from './log.ts';
export { ReflectionService } from './reflection.ts';
export { runService, type ServiceMain } from './run-service.ts';
export {
  type RegisteredService,
  type RunningServer,
  register,
  type StartServerOptions,
  startServer,
} from './server.ts';
export type {
  BidiCall,
  CallContext,
  CallOptions,
  Handlers,
  MethodDefinition,
  RequestOf,
  RequestStream,
  ResponseOf,
  ServiceDefinition,
} from './service-definition.ts';
export type { SpanRecord } from './span-file.ts';
export { startTelemetry, type Telemetry, type TelemetryOptions, tracer } from './telemetry.ts';
