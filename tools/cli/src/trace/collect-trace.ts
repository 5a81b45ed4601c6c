import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpanRecord } from '@faultline/service-kit';

/** All spans of one trace that processes have written to span files in `folders`, by start. */
export async function collectTrace(folders: readonly string[], traceId: string): Promise<SpanRecord[]> {
  const files = await Promise.all(folders.map(spanFiles));
  const texts = await Promise.all(files.flat().map((file) => readFile(file, 'utf8')));
  return texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.includes(traceId))
    .flatMap(parseSpan)
    .filter((span) => span.traceId === traceId)
    .sort((a, b) => compare(BigInt(a.startUnixNano), BigInt(b.startUnixNano)));
}

/** The last line of a process that was killed may be cut off. */
function parseSpan(line: string): SpanRecord[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

async function spanFiles(folder: string): Promise<string[]> {
  const files = await readdir(folder);
  return files.filter((file) => file.endsWith('.jsonl')).map((file) => join(folder, file));
}

const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);

/** A call that lasts as long as the work that it watches, which has spans of its own. */
const WATCHING = /\/WatchCampaign$/;

/** Time that a name of spans took by itself. */
export interface SpanCost {
  readonly service: string;
  readonly name: string;
  readonly spans: number;
  /** Sum of durations, less the time covered by spans inside them, in milliseconds. */
  readonly selfMs: number;
  readonly totalMs: number;
}

/** The names of spans that took the most time by themselves, the most first; without calls that only watch. */
export function slowestSpans(spans: readonly SpanRecord[], limit: number): SpanCost[] {
  const children = Map.groupBy(spans, (span) => span.parentSpanId);
  const groups = Map.groupBy(spans, (span) => `${span.service}\n${span.name}`);
  const costs = [...groups.values()].flatMap((group): SpanCost[] => {
    const [first] = group;
    if (first === undefined) return [];
    const totalMs = group.reduce((sum, span) => sum + span.durationMs, 0);
    const coveredMs = group.reduce((sum, span) => sum + coveredTime(span, children.get(span.spanId) ?? []), 0);
    return [{ service: first.service, name: first.name, spans: group.length, totalMs, selfMs: totalMs - coveredMs }];
  });
  return costs
    .filter(({ name }) => !WATCHING.test(name))
    .sort((a, b) => b.selfMs - a.selfMs)
    .slice(0, limit);
}

/** Milliseconds of a span during which at least one of its children ran. */
function coveredTime(span: SpanRecord, children: readonly SpanRecord[]): number {
  const end = startMs(span, span) + span.durationMs;
  const intervals = children
    .map((child) => ({ from: startMs(child, span), to: Math.min(end, startMs(child, span) + child.durationMs) }))
    .sort((a, b) => a.from - b.from);
  let covered = 0;
  let reached = 0;
  for (const { from, to } of intervals) {
    covered += Math.max(0, to - Math.max(from, reached));
    reached = Math.max(reached, to);
  }
  return covered;
}

/** Start in milliseconds after the start of `origin`; absolute times would lose digits. */
const startMs = (span: SpanRecord, origin: SpanRecord): number =>
  Number(BigInt(span.startUnixNano) - BigInt(origin.startUnixNano)) / 1e6;
