import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { score } from '@faultline/contracts';
import type { Report } from '@faultline/report';
import { startTelemetry, tracer } from '@faultline/service-kit';
import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { readCampaignFile } from '../campaign/campaign-file.ts';
import { type CampaignResult, runCampaign } from '../campaign/watch-campaign.ts';
import { Interruption } from '../interruption.ts';
import { duration } from '../output/figures.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { tradeOffTable } from '../output/trade-off-table.ts';
import { Session } from '../session.ts';
import { collectTrace, slowestSpans } from '../trace/collect-trace.ts';
import { SpanFolder } from '../trace/span-folder.ts';
import type { CommandDefinition } from './command-definition.ts';
import type { CommandOptions } from './in-session.ts';
import {
  addJson,
  addRuns,
  addVictims,
  type FolderOptions,
  foldersOf,
  type JsonOption,
  wholeNumber,
} from './options.ts';

/** `faultline campaign run`: a campaign from its file to its report. */
export const campaignRun: CommandDefinition = {
  name: 'run',
  summary: 'run the campaign of a YAML file; starts the services for it when none are up',
  examples: ['faultline campaign run campaigns/quick.yaml --clips 12'],
  configure: (command) => {
    addVictims(addRuns(command))
      .argument('<file>', 'campaign file')
      .option('--clips <count>', 'attack this many clips, or "all", in place of what the file says', parseClips);
    addJson(command, 'print report.json in place of tables').action(
      (file: string, options: FolderOptions & JsonOption & { readonly clips?: 'all' | number }) =>
        runCampaignFile(file, { clips: options.clips, json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

const parseClips = (text: string): 'all' | number => (text === 'all' ? text : wholeNumber(1)(text));

interface CampaignRunOptions extends CommandOptions {
  /** How many clips, in place of what the file says. */
  readonly clips?: 'all' | number | undefined;
}

/** Spans of one moment's work reach their files within this time. */
const SPAN_FLUSH_MS = 500;

const SLOWEST_SPANS = 6;

/**
 * Attaches to the services that are up or starts its own, runs the campaign of a file, and prints
 * what it found. Whatever happens, services that this call started are stopped when it returns.
 * @throws UsageError, FaultlineError
 */
async function runCampaignFile(file: string, options: CampaignRunOptions): Promise<void> {
  const specification = withClips(await readCampaignFile(file), options.clips);
  using interruption = new Interruption();
  using ownSpans = new SpanFolder();
  const telemetry = await startTelemetry('cli', { traceDir: ownSpans.path });
  const needs = { ...options.stack, needs: 'campaigns' as const, traceDir: ownSpans.path, signal: interruption.signal };
  const { result, traceId, traceDirs } = await inSpan('faultline campaign run', async (span) => {
    const { traceId } = span.spanContext();
    const session = await inSpan('start services', () => Session.open(needs));
    try {
      const result = await watched(session, specification);
      return { result, traceId, traceDirs: new Set([ownSpans.path, session.traceDir ?? ownSpans.path]) };
    } finally {
      await inSpan('stop services', () => session[Symbol.asyncDispose]());
    }
  }).finally(() => telemetry.shutdown());
  // Services that stay up write their last spans a moment later.
  if (traceDirs.size > 1) await new Promise((resolve) => setTimeout(resolve, SPAN_FLUSH_MS));
  const spans = await collectTrace([...traceDirs], traceId);
  const files = await writeTrace(result, spans);
  if (options.json) process.stdout.write(`${result.reportJson.trimEnd()}\n`);
  else printResult(result, spans, files);
}

function withClips(
  specification: score.CampaignSpecification,
  clips: 'all' | number | undefined,
): score.CampaignSpecification {
  if (clips === undefined) return specification;
  return { ...specification, clips: { set: specification.clips?.set ?? '', limit: clips === 'all' ? 0 : clips } };
}

async function watched(session: Session, specification: score.CampaignSpecification): Promise<CampaignResult> {
  using line = new ProgressLine();
  return runCampaign(session, specification, (progress) => line.show(progress));
}

/** Runs `work` in a span that ends, and says how, with it. */
function inSpan<T>(name: string, work: (span: Span) => Promise<T>): Promise<T> {
  return tracer('@faultline/cli').startActiveSpan(name, async (span) => {
    try {
      return await work(span);
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
      throw error;
    } finally {
      span.end();
    }
  });
}

async function writeTrace({ folder }: CampaignResult, spans: readonly unknown[]): Promise<string[]> {
  if (folder === '') return [];
  const path = join(folder, 'trace.json');
  await writeFile(path, `[\n${spans.map((span) => JSON.stringify(span)).join(',\n')}\n]\n`);
  return [join(folder, 'report.html'), join(folder, 'report.json'), path];
}

function printResult(
  { reportJson }: CampaignResult,
  spans: Parameters<typeof slowestSpans>[0],
  files: readonly string[],
): void {
  const report: Report = JSON.parse(reportJson);
  const slowest = slowestSpans(spans, SLOWEST_SPANS).map(
    ({ service, name, spans, selfMs }) => `  ${duration(selfMs).padStart(9)}  ${service}: ${name} (${spans})`,
  );
  const lines = [...tradeOffTable(report), '', 'slowest spans, time of their own:', ...slowest, '', ...files];
  process.stdout.write(`${lines.join('\n')}\n`);
}
