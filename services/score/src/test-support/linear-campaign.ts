import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attack, score } from '@faultline/contracts';
import { type Client, connect, type RunningServer } from '@faultline/service-kit';
import type { ServiceAddresses } from '../peers/services.ts';
import { startScore } from '../start-score.ts';
import { type AttackFaults, type LinearMedia, serveAttack, serveFeatures, serveInference } from './linear-services.ts';
import { LABELS, linearVictim, PIXELS, SAMPLES } from './linear-victim.ts';

export const CLIPS = 12;

/** Clip k has label k mod 3; its sound and picture are louder and brighter there, the more so the larger k. */
export function clipMedia(clip: number): LinearMedia {
  const level = 0.3 + 0.05 * clip;
  const values = (count: number, scale: number) =>
    Array.from({ length: count }, (_, index) => (index % LABELS.length === clip % LABELS.length ? level * scale : 0));
  return { waveform: values(SAMPLES, 1), frames: values(PIXELS, 255).map(Math.round) };
}

/** Writes a clip set of the linear victims' media. */
export async function writeClipSet(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const clips = [];
  for (let clip = 0; clip < CLIPS; clip += 1) {
    const bytes = JSON.stringify(clipMedia(clip));
    const file = `clip-${clip}.json`;
    await writeFile(join(folder, file), bytes);
    clips.push({
      id: `clip-${clip}`,
      file,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      labels: [LABELS[clip % LABELS.length]],
      stratum: clip % 2 === 0 ? 'unseen' : 'seen',
      agree: true,
      groups: [`source-${clip}`],
    });
  }
  await writeFile(join(folder, 'manifest.json'), JSON.stringify({ name: 'linear', version: '1', clips }));
}

/** A score service with everything that it needs, on linear victims. */
export interface LinearSetting extends AsyncDisposable {
  readonly client: Client<typeof score.ScoreServiceService>;
  readonly runsDir: string;
  readonly clipsDir: string;
  readonly addresses: ServiceAddresses;
  /** Media that were extracted so far. */
  readonly extractions: () => number;
  /** Inference servers by victim, to be closed by tests of failure. */
  readonly inference: ReadonlyMap<string, RunningServer>;
  /** Drains the score service and starts it again on the same folder. */
  restart(): Promise<void>;
}

export const VICTIMS = [
  linearVictim('strong', { waveform: 2, frames: 2 }),
  linearVictim('weak', { waveform: 1, frames: 0.5 }),
];

export async function linearSetting(faults: AttackFaults = {}): Promise<LinearSetting> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-score-'));
  const [runsDir, clipsDir] = [join(folder, 'runs'), join(folder, 'clips')];
  await writeClipSet(clipsDir);
  let extracted = 0;
  const features = await serveFeatures(() => {
    extracted += 1;
  });
  const attackServer = await serveAttack(VICTIMS, faults);
  const inference = new Map<string, RunningServer>();
  for (const one of VICTIMS) inference.set(one.card.name, await serveInference(one, faults.slope));
  const addresses: ServiceAddresses = {
    victims: Object.fromEntries(inference.entries().map(([name, server]) => [name, server.address])),
    features: features.address,
    attack: attackServer.address,
  };
  const config = {
    host: '127.0.0.1',
    port: 0,
    victims: addresses.victims,
    featuresAddress: addresses.features,
    attackAddress: addresses.attack,
    runsDir,
    clipsDir,
    artefactDir: undefined,
    inputCacheBytes: 1_000_000,
  };
  const start = async () => {
    const server = await startScore(config, (error) => {
      throw error;
    });
    return { server, client: connect(score.ScoreServiceService, server.address) };
  };
  let running = await start();
  const stop = async () => {
    running.client.close();
    await running.server.close({ drainTimeoutMs: 100 });
  };
  return {
    get client() {
      return running.client;
    },
    runsDir,
    clipsDir,
    addresses,
    extractions: () => extracted,
    inference,
    restart: async () => {
      await stop();
      running = await start();
    },
    async [Symbol.asyncDispose]() {
      await stop();
      for (const server of [features, attackServer, ...inference.values()]) await server.close({ drainTimeoutMs: 0 });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A threat model on the waveform with these scales; the last rung of `never` scales does all steps. */
export function threatModel(change: Partial<attack.ThreatModel> = {}): attack.ThreatModel {
  return attack.ThreatModel.fromPartial({
    name: 'linf-waveform',
    variables: [{ variable: 'waveform', rho: 0.1 }],
    norm: attack.Norm.NORM_LINF,
    rungs: [0.5, 1, 2, 4, 8].map((scale) => ({
      scale,
      stopping: scale === 2 ? attack.Stopping.STOPPING_NEVER : attack.Stopping.STOPPING_EARLY,
    })),
    attack: 'pgd',
    steps: 5,
    restarts: 1,
    ...change,
  });
}

export function startRequest(
  change: Partial<score.CampaignSpecification> = {},
  idempotencyKey = '',
): score.StartCampaignRequest {
  return score.StartCampaignRequest.fromPartial({
    context: { caller: 'test', idempotencyKey },
    specification: {
      name: 'linear victims',
      threatModels: [threatModel()],
      seed: 7,
      ...change,
    },
  });
}

/** Watches a campaign to its end. */
export async function watchToEnd(
  client: LinearSetting['client'],
  campaignId: string,
): Promise<score.WatchCampaignResponse[]> {
  const seen: score.WatchCampaignResponse[] = [];
  for await (const response of client.watchCampaign({ context: undefined, campaignId })) seen.push(response);
  return seen;
}
