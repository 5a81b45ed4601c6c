import type { ArtefactStore } from '@faultline/artefacts';
import type { Report } from '@faultline/report';
import { FaultlineError, logger } from '@faultline/service-kit';
import { type Context, trace } from '@opentelemetry/api';
import type { InputCache } from '../inputs/input-cache.ts';
import type { Services } from '../peers/services.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import { runFiles } from '../report/run-files.ts';
import { withSpan } from '../spans.ts';
import type { CampaignEnd, CampaignRecord } from '../store/campaign-record.ts';
import type { CampaignStore } from '../store/campaign-store.ts';
import { runFolder, writeRunFiles } from '../store/run-folder.ts';
import { LiveCampaign } from './live-campaign.ts';
import { runCampaign } from './run-campaign.ts';

const log = logger('campaign');

/** Runs campaigns in the background, one after another: two at once would fight for the same cores and loops. */
export class CampaignRunner {
  readonly #services: Services;
  readonly #artefacts: Promise<ArtefactStore>;
  readonly #runsDir: string;
  readonly #cache: InputCache;
  readonly #live = new Map<string, LiveCampaign>();
  #last: Promise<void> = Promise.resolve();

  constructor(services: Services, cache: InputCache, artefacts: Promise<ArtefactStore>, runsDir: string) {
    this.#services = services;
    this.#cache = cache;
    this.#artefacts = artefacts;
    this.#runsDir = runsDir;
  }

  /** The campaign with this id, while it runs (or waits to) in this process. */
  live(id: string): LiveCampaign | undefined {
    return this.#live.get(id);
  }

  /**
   * Runs a filed campaign in the background.
   * @param parent trace context of whoever started it: its spans belong there, though the call has long returned.
   */
  start(record: CampaignRecord, plan: PlannedCampaign, store: CampaignStore, parent: Context): void {
    const live = new LiveCampaign();
    this.#live.set(record.id, live);
    const before = this.#last;
    const own = Promise.race([before, live.stopped])
      .then(() => this.#run(record, plan, live, store, parent))
      .then((end) => store.finish(record.id, end))
      .catch((error: unknown) => log.error(`the end of campaign ${record.id} was not filed: ${String(error)}`))
      .finally(() => {
        this.#live.delete(record.id);
        live.end();
      });
    this.#last = Promise.all([before, own]).then(() => {});
  }

  /** Stops every campaign, and waits until their ends are filed. */
  async stopAll(reason: Error): Promise<void> {
    for (const live of this.#live.values()) live.stop(reason);
    await this.#last;
  }

  async #run(
    record: CampaignRecord,
    plan: PlannedCampaign,
    live: LiveCampaign,
    store: CampaignStore,
    parent: Context,
  ): Promise<CampaignEnd> {
    const attributes = {
      'faultline.campaign': record.id,
      'faultline.victims': plan.victims.length,
      'faultline.threat_models': plan.threatModels.length,
      'faultline.clips': plan.clips.length,
    };
    try {
      const report = await withSpan('score.campaign', attributes, () => this.#measure(record, plan, live), parent);
      await store.refer(record.id, artefactsOf(report));
      return {
        state: 'succeeded',
        endedAt: new Date(report.run.endedAt),
        error: '',
        reportJson: JSON.stringify(report),
      };
    } catch (thrown) {
      // A step that was stopped fails in its own way; why it was stopped is what counts.
      const error = FaultlineError.from(live.signal.aborted ? live.signal.reason : thrown);
      const state = error.code === 'cancelled' ? 'cancelled' : 'failed';
      if (state === 'failed') log.warn(`campaign ${record.id} failed: ${error.message}`);
      return { state, endedAt: new Date(), error: error.message, reportJson: undefined };
    }
  }

  async #measure(record: CampaignRecord, plan: PlannedCampaign, live: LiveCampaign): Promise<Report> {
    // One that was stopped while it waited for its turn has a span as well, so that its trace tells what became of it.
    live.signal.throwIfAborted();
    const outcome = await runCampaign(plan, {
      services: this.#services,
      cache: this.#cache,
      artefacts: await this.#artefacts,
      onProgress: (state) => live.update(state),
      signal: live.signal,
    });
    const report: Report = {
      ...outcome.body,
      run: {
        id: record.id,
        startedAt: record.startedAt.toISOString(),
        endedAt: new Date().toISOString(),
        traceId: record.traceId,
      },
      timings: outcome.timings,
    };
    await withSpan('score.report', {}, () =>
      writeRunFiles(runFolder(this.#runsDir, record.id), runFiles(report, outcome.examples)),
    );
    return report;
  }
}

/** Digests of the artefacts that a report names. */
function artefactsOf(report: Report): string[] {
  const references = report.victims.flatMap(({ threatModels, universals }) => [
    ...threatModels.flatMap(({ adversarial }) => adversarial ?? []),
    ...universals.flatMap(({ rungs }) => rungs.map(({ perturbation }) => perturbation)),
  ]);
  return references.flatMap((clip) => Object.values(clip ?? {}).map(({ sha256 }) => sha256));
}

/** Hexadecimal id of the trace that a context belongs to; empty when it belongs to none. */
export function traceIdOf(context: Context): string {
  const id = trace.getSpanContext(context)?.traceId ?? '';
  return /^0*$/.test(id) ? '' : id;
}
