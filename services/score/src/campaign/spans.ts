import { FaultlineError, tracer } from '@faultline/service-kit';
import { type Attributes, type Context, context, SpanStatusCode } from '@opentelemetry/api';

/** Spans of a campaign; their names and attributes are part of the telemetry contract. */
export type SpanName =
  | 'score.campaign'
  | 'score.prepare'
  | 'score.clean'
  | 'score.attack'
  | 'score.verify'
  | 'score.report';

/** Runs `work` inside a span, as a child of `parent` (default: the active one). Its error is recorded and thrown on. */
export function withSpan<Result>(
  name: SpanName,
  attributes: Attributes,
  work: () => Promise<Result>,
  parent: Context = context.active(),
): Promise<Result> {
  return tracer('@faultline/service-score').startActiveSpan(name, { attributes }, parent, async (span) => {
    try {
      return await work();
    } catch (thrown) {
      const error = FaultlineError.from(thrown);
      span.setAttribute('error.type', error.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw thrown;
    } finally {
      span.end();
    }
  });
}
