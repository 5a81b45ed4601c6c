import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { score } from '@faultline/contracts';
import type { Report } from '@faultline/report';
import { FaultlineError, type SpanRecord, startTelemetry, tracer } from '@faultline/service-kit';
import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { CALLER } from '../campaign/caller.ts';
import { readCampaignFile } from '../campaign/campaign-file.ts';
import { campaignEnd } from '../campaign/watch-campaign.ts';
import { Interruption } from '../interruption.ts';
import { duration } from '../output/figures.ts';
import { ProgressLine } from '../output/progress-line.ts';
import { reportFiles } from '../output/report-files.ts';
import { tradeOffTable } from '../output/trade-off-table.ts';
import { universalTable } from '../output/universal-table.ts';
import { Session } from '../session.ts';
import { victimNames } from '../stack/victim-folders.ts';
import { startedVictims } from '../threat-model/started-victims.ts';
import { collectTrace, slowestSpans } from '../trace/collect-trace.ts';
import { SpanFolder } from '../trace/span-folder.ts';
import type { CommandDefinition } from './command-definition.ts';
import type { CommandOptions } from './in-session.ts';
import {
  addJson,
  addRuns,
  addVictim,
  addVictims,
  type FolderOptions,
  foldersOf,
  type JsonOption,
  type VictimOption,
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
    addVictim(command);
    addJson(command, 'print report.json in place of tables').action(
      (file: string, options: FolderOptions & JsonOption & VictimOption & { readonly clips?: 'all' | number }) =>
        runCampaignFile(file, {
          clips: options.clips,
          victims: options.victim,
          json: options.json === true,
          stack: foldersOf(options),
        }),
    );
  },
};

const parseClips = (text: string): 'all' | number => (text === 'all' ? text : wholeNumber(1)(text));

interface CampaignRunOptions extends CommandOptions {
  /** How many clips, in place of what the file says. */
  readonly clips?: 'all' | number | undefined;
  /** Names or folders of victims, in place of those that the file names. */
  readonly victims?: readonly string[] | undefined;
}

/** Spans of one moment's work reach their files within this time. */
const SPAN_FLUSH_MS = 500;

const SLOWEST_SPANS = 6;

/** A campaign that was started, and what became of it. */
interface Started {
  readonly campaignId: string;
  /** Folder of its files; empty when the service keeps it elsewhere. */
  readonly folder: string;
  /** Of the services that it runs on. */
  readonly traceDir: string | undefined;
}

/**
 * Attaches to the services that are up or starts its own, runs the campaign of a file, and prints what it found. Whatever
 * happens, services that this call started are stopped when it returns, and the trace is in the campaign's folder.
 * @throws UsageError, FaultlineError
 */
async function runCampaignFile(file: string, options: CampaignRunOptions): Promise<void> {
  const fromFile = withClips(await readCampaignFile(file), options.clips);
  const specification =
    options.victims === undefined ? fromFile : { ...fromFile, victims: await victimNames(options.victims) };
  using interruption = new Interruption();
  using ownSpans = new SpanFolder();
  const telemetry = await startTelemetry('cli', { traceDir: ownSpans.path });
  // Services of its own serve what the campaign asks for, not every victim there is.
  const surrogates = specification.threatModels.flatMap((model) =>
    [model, ...model.furtherAttacks].map(({ surrogate }) => surrogate),
  );
  const only = startedVictims(options.victims ?? specification.victims, surrogates);
  const { signal } = interruption;
  const needs = { ...options.stack, only, needs: 'attacks' as const, traceDir: ownSpans.path, signal };
  let started: Started | undefined;
  let traceId = '';
  const work = inSpan('faultline campaign run', async (span) => {
    ({ traceId } = span.spanContext());
    const session = await inSpan('start services', () => Session.open(needs));
    try {
      started = await start(session, specification);
      return await result(session, started.campaignId);
    } finally {
      await inSpan('stop services', () => session[Symbol.asyncDispose]());
    }
  }).finally(() => telemetry.shutdown());
  const [ended] = await Promise.allSettled([work]);
  const spans = started === undefined ? [] : await spansOf(started, ownSpans.path, traceId);
  const trace = started === undefined ? [] : await writeTrace(started.folder, spans);
  if (ended.status === 'rejected') {
    if (trace.length > 0) process.stderr.write(`what it did until then: ${trace.join(', ')}\n`);
    throw ended.reason;
  }
  if (options.json) process.stdout.write(`${ended.value.trimEnd()}\n`);
  else printResult(JSON.parse(ended.value), spans, [...reportFiles(started?.folder ?? ''), ...trace]);
}

function withClips(
  specification: score.CampaignSpecification,
  clips: 'all' | number | undefined,
): score.CampaignSpecification {
  if (clips === undefined) return specification;
  return { ...specification, clips: { set: specification.clips?.set ?? '', limit: clips === 'all' ? 0 : clips } };
}

async function start(session: Session, specification: score.CampaignSpecification): Promise<Started> {
  const { signal, traceDir } = session;
  const context = { ...CALLER, idempotencyKey: randomUUID() };
  try {
    const { campaignId } = await session.score.startCampaign({ context, specification }, { signal });
    const { folder } = await session.score.getCampaign({ context: CALLER, campaignId }, { signal });
    return { campaignId, folder, traceDir };
  } catch (error) {
    throw await session.explain(error);
  }
}

/** The report as JSON, once there is one. */
async function result(session: Session, campaignId: string): Promise<string> {
  using line = new ProgressLine();
  await campaignEnd(session, campaignId, (progress) => line.show(progress));
  const { signal } = session;
  const { reportJson } = await session.score.getCampaign({ context: CALLER, campaignId }, { signal });
  if (reportJson === '') throw new FaultlineError('internal', `campaign ${campaignId} ended without a report`);
  return reportJson;
}

async function spansOf({ traceDir }: Started, ownFolder: string, traceId: string): Promise<SpanRecord[]> {
  const folders = new Set([ownFolder, traceDir ?? ownFolder]);
  // Services that stay up write their last spans a moment later.
  if (folders.size > 1) await new Promise((resolve) => setTimeout(resolve, SPAN_FLUSH_MS));
  return collectTrace([...folders], traceId);
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

/** The trace's file; none when the folder is not on this disk. */
async function writeTrace(folder: string, spans: readonly SpanRecord[]): Promise<string[]> {
  if (folder === '') return [];
  await mkdir(folder, { recursive: true });
  const path = join(folder, 'trace.json');
  await writeFile(path, `[\n${spans.map((span) => JSON.stringify(span)).join(',\n')}\n]\n`);
  return [path];
}

function printResult(report: Report, spans: readonly SpanRecord[], files: readonly string[]): void {
  const slowest = slowestSpans(spans, SLOWEST_SPANS).map(
    ({ service, name, spans, selfMs }) => `  ${duration(selfMs).padStart(9)}  ${service}: ${name} (${spans})`,
  );
  const lines = [
    ...tradeOffTable(report),
    ...universalTable(report),
    '',
    'slowest spans, time of their own:',
    ...slowest,
    '',
    ...files,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}
