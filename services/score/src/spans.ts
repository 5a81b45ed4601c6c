import { FaultlineError, tracer } from '@faultline/service-kit';
import { type Attributes, type Context, context, type Span, SpanStatusCode } from '@opentelemetry/api';
import { CountedLookup, type InputCache, type InputLookup } from './inputs/input-cache.ts';

/** Spans of a campaign; their names and attributes are part of the telemetry contract. */
export type SpanName =
  | 'score.campaign'
  | 'score.prepare'
  | 'score.clean'
  | 'score.attack'
  | 'score.verify'
  | 'score.assess'
  | 'score.write_back'
  | 'score.report'
  | 'score.predict';

/** Runs `work` inside a span, as a child of `parent` (default: the active one). Its error is recorded and thrown on. */
export function withSpan<Result>(
  name: SpanName,
  attributes: Attributes,
  work: (span: Span) => Promise<Result>,
  parent: Context = context.active(),
): Promise<Result> {
  return tracer('@faultline/service-score').startActiveSpan(name, { attributes }, parent, async (span) => {
    try {
      return await work(span);
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

/** Runs work that extracts inputs inside a span that tells how many of them the cache had. */
export function withLookupSpan<Result>(
  name: SpanName,
  attributes: Attributes,
  cache: InputCache,
  work: (lookup: InputLookup) => Promise<Result>,
): Promise<Result> {
  return withSpan(name, attributes, async (span) => {
    const lookup = new CountedLookup(cache);
    try {
      return await work(lookup);
    } finally {
      span.setAttribute('faultline.cache.hits', lookup.hits);
      span.setAttribute('faultline.cache.misses', lookup.misses);
    }
  });
}
