import { trace } from '@opentelemetry/api';

const SEVERITY = { debug: 0, info: 1, warn: 2, error: 3 } as const;

export type LogLevel = keyof typeof SEVERITY;

type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Log = Readonly<Record<LogLevel, (message: string, fields?: LogFields) => void>>;

let threshold: LogLevel = 'info';

/** Sets the least severe level that is written, for the whole process. */
export function setLogLevel(level: LogLevel): void {
  threshold = level;
}

/**
 * A logger for one component: JSON lines on standard error, each with the active trace id. Never give it media, tensors
 * or file names of users.
 */
export function logger(component: string): Log {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => {
    if (SEVERITY[level] < SEVERITY[threshold]) return;
    const traceId = trace.getActiveSpan()?.spanContext().traceId;
    process.stderr.write(
      `${JSON.stringify({ time: new Date().toISOString(), level, component, message, traceId, ...fields })}\n`,
    );
  };
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}
