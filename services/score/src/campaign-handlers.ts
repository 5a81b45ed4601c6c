import { isDeepStrictEqual } from 'node:util';
import { score } from '@faultline/contracts';
import { FaultlineError, type Handlers } from '@faultline/service-kit';
import { context as otel } from '@opentelemetry/api';
import { campaignId, isCampaignId } from './campaign/campaign-id.ts';
import { traceIdOf } from './campaign/campaign-runner.ts';
import { summaryOf } from './campaign-summary.ts';
import { identityOf } from './identity.ts';
import { refuseControlCharacters } from './plain-text.ts';
import { planCampaign } from './planning/specification.ts';
import type { ScoreSurroundings } from './score-surroundings.ts';
import type { CampaignRecord } from './store/campaign-record.ts';
import type { CampaignStore } from './store/campaign-store.ts';
import { makeRunFolder } from './store/run-folder.ts';

const DEFAULT_PAGE_SIZE = 50;
const MAX_PAGE_SIZE = 1000;

async function findCampaign(store: CampaignStore, id: string): Promise<CampaignRecord> {
  const record = isCampaignId(id) ? await store.get(id) : undefined;
  if (record === undefined) throw new FaultlineError('not_found', `there is no campaign '${id}'`);
  return record;
}

/**
 * The campaign that was started with this key.
 * @throws FaultlineError invalid_argument when that was another one than is asked for now.
 */
async function startedBefore(
  store: CampaignStore,
  key: string,
  specification: score.CampaignSpecification,
): Promise<string | undefined> {
  const earlier = key === '' ? undefined : await store.findByKey(key);
  if (earlier === undefined) return undefined;
  const asked: unknown = JSON.parse(JSON.stringify(score.CampaignSpecification.toJSON(specification)));
  if (isDeepStrictEqual(earlier.specification, asked)) return earlier.id;
  throw FaultlineError.invalid(
    'context.idempotencyKey',
    `'${key}' was used for campaign '${earlier.id}', which is another one; give each request a key of its own`,
  );
}

type CampaignMethods = 'startCampaign' | 'watchCampaign' | 'getCampaign' | 'listCampaigns' | 'cancelCampaign';

/** Campaigns: started, watched, looked up, cancelled. */
export function campaignHandlers(
  around: ScoreSurroundings,
): Pick<Handlers<typeof score.ScoreServiceService>, CampaignMethods> {
  const { services, runner, runsDir, clipsDir } = around;
  return {
    async startCampaign(request, { signal }) {
      const parent = otel.active();
      const { caller, idempotencyKey } = identityOf(request.context);
      const { specification } = request;
      if (specification === undefined) throw FaultlineError.invalid('specification', 'is missing; say what to measure');
      refuseControlCharacters(specification, 'specification');
      const store = await around.store;
      const earlier = await startedBefore(store, idempotencyKey, specification);
      if (earlier !== undefined) return { campaignId: earlier };
      const plan = await planCampaign(specification, services, clipsDir, signal);
      const startedAt = new Date();
      const record: CampaignRecord = {
        id: campaignId(startedAt),
        name: plan.name,
        specification: score.CampaignSpecification.toJSON(specification),
        state: 'running',
        startedAt,
        endedAt: undefined,
        error: '',
        caller,
        traceId: traceIdOf(parent),
        reportJson: undefined,
      };
      const id = await store.insert(record, idempotencyKey);
      if (id !== record.id) return { campaignId: (await startedBefore(store, idempotencyKey, specification)) ?? id };
      runner.start(record, plan, store, parent);
      return { campaignId: id };
    },

    async *watchCampaign(request, { signal }) {
      const store = await around.store;
      const started = summaryOf(await findCampaign(store, request.campaignId));
      const live = runner.live(request.campaignId);
      if (live !== undefined) {
        for await (const state of live.watch(signal)) yield { summary: started, ...state };
      }
      const ended = await findCampaign(store, request.campaignId);
      const progress = ended.state === 'succeeded' ? 1 : (live?.state.progress ?? 0);
      yield { summary: summaryOf(ended), progress, remainingSeconds: 0, activity: ended.state };
    },

    async getCampaign(request) {
      const record = await findCampaign(await around.store, request.campaignId);
      const folder = await makeRunFolder(runsDir, record.id);
      const specification = score.CampaignSpecification.fromJSON(record.specification);
      return { summary: summaryOf(record), reportJson: record.reportJson ?? '', folder, specification };
    },

    async listCampaigns(request) {
      if (request.pageSize > MAX_PAGE_SIZE) {
        throw FaultlineError.invalid('pageSize', `is ${request.pageSize}; give at most ${MAX_PAGE_SIZE}`);
      }
      if (request.pageToken !== '' && !isCampaignId(request.pageToken)) {
        throw FaultlineError.invalid(
          'pageToken',
          `'${request.pageToken}' is not a token of a page; take nextPageToken`,
        );
      }
      const size = request.pageSize === 0 ? DEFAULT_PAGE_SIZE : request.pageSize;
      const store = await around.store;
      const records = await store.list(size + 1, request.pageToken);
      const page = records.slice(0, size);
      return {
        campaigns: page.map(summaryOf),
        nextPageToken: records.length > size ? (page.at(-1)?.id ?? '') : '',
      };
    },

    async cancelCampaign(request) {
      const store = await around.store;
      await findCampaign(store, request.campaignId);
      const live = runner.live(request.campaignId);
      if (live !== undefined) {
        const { caller } = identityOf(request.context);
        live.stop(new FaultlineError('cancelled', caller === '' ? 'cancelled' : `cancelled by ${caller}`));
        await live.ended;
      }
      return { summary: summaryOf(await findCampaign(store, request.campaignId)) };
    },
  };
}
