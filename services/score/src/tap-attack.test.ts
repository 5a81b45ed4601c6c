import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { attack, type DenseTensor, decodeTensor, features, score } from '@faultline/contracts';
import { perturbationNorms } from '@faultline/metrics';
import type { Report } from '@faultline/report';
import { type Client, connect, type RunningServer } from '@faultline/service-kit';
import { ServiceProcess } from '@faultline/service-kit/testing';
import type { Tensors } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { startScore } from './start-score.ts';
import { watchToEnd } from './test-support/linear-campaign.ts';

// A shipped victim attacked at a tap, with a budget relative to the tap's clean value: real services, real files.

const ZOO = fileURLToPath(new URL('../../../zoo/', import.meta.url));
const VICTIM = 'late';
const TAP = 'fused';
/** Of the clean value's L2 norm, at scale 1. */
const SHARE = 0.1;
const SCALES = [0.1, 1];
const CLIPS = 3;
/** Of the shipped set's first clips, which the victim gets right. */
const CLIP = 'unseen-001';

const THREAT = attack.ThreatModel.fromPartial({
  name: 'fused-relative',
  variables: [{ variable: TAP, rho: SHARE, relative: true }],
  norm: attack.Norm.NORM_L2,
  rungs: SCALES.map((scale) => ({ scale, stopping: attack.Stopping.STOPPING_EARLY })),
  attack: 'pgd',
  steps: 5,
  restarts: 1,
});

let folder: string;
const services: ServiceProcess[] = [];
let server: RunningServer;
let client: Client<typeof score.ScoreServiceService>;
let extraction: Client<typeof features.FeaturesServiceService>;
let victim: RemoteVictim;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-tap-'));
  const [inference, extractor] = await Promise.all([
    ServiceProcess.start('inference', { FAULTLINE_VICTIM_DIR: join(ZOO, 'victims', VICTIM), FAULTLINE_THREADS: '1' }),
    ServiceProcess.start('features', {}),
  ]);
  services.push(inference, extractor);
  const victims = { [VICTIM]: inference.address };
  const attacker = await ServiceProcess.start('attack', { FAULTLINE_VICTIMS: JSON.stringify(victims) });
  services.push(attacker);
  const config = {
    host: '127.0.0.1',
    port: 0,
    victims,
    featuresAddress: extractor.address,
    attackAddress: attacker.address,
    runsDir: join(folder, 'runs'),
    clipsDir: join(ZOO, 'clips'),
    artefactDir: undefined,
    inputCacheBytes: 100_000_000,
  };
  server = await startScore(config, (error) => {
    throw error;
  });
  client = connect(score.ScoreServiceService, server.address);
  extraction = connect(features.FeaturesServiceService, extractor.address);
  victim = new RemoteVictim(inference.address);
});

after(async () => {
  client.close();
  extraction.close();
  await victim[Symbol.asyncDispose]();
  await server.close({ drainTimeoutMs: 100 });
  for (const one of services) await one[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

test('a campaign at a tap: labelled feature-space, judged, with verified figures', async () => {
  const specification = { name: 'tap', clips: { set: '', limit: CLIPS }, threatModels: [THREAT], seed: 1 };
  const { campaignId } = await client.startCampaign(score.StartCampaignRequest.fromPartial({ specification }));
  await watchToEnd(client, campaignId);
  const { reportJson } = await client.getCampaign({ context: undefined, campaignId });
  const report: Report = JSON.parse(reportJson);
  const [result] = report.victims[0]?.threatModels ?? [];
  assert.ok(result !== undefined);
  assert.equal(result.domain, 'feature-space');
  assert.deepEqual(
    result.variables.map(({ variable, kind, domain, relative, unit }) => [variable, kind, domain, relative, unit]),
    [[TAP, 'features', 'feature-space', true, 'shares of the clean value']],
  );
  assert.deepEqual([result.assessment.verdict, result.assessment.findings], ['sound', []]);
  assert.ok(result.cleanAccuracy > 0, 'there is something to attack');
  const [small, large] = result.ladder;
  assert.ok((small?.robustAccuracy ?? 0) > 0, 'a hundredth of the value is too little for some clip');
  assert.equal(large?.robustAccuracy, 0, 'a tenth is enough for all');
  assert.ok((large?.noiseAccuracy ?? 0) > 0, 'and random noise of that size is not');
  const { robustnessScore } = result.headline;
  assert.ok(robustnessScore !== null && robustnessScore > 0 && robustnessScore < 1);
  const [pgd] = result.attacks;
  assert.ok(pgd !== undefined && pgd.cost.gradientExamples > 0);
  assert.ok(pgd.rungs.some(({ verified }) => verified > 0));
  for (const [rung, { refuted, overBudget, measured }] of pgd.rungs.entries()) {
    assert.deepEqual([refuted, overBudget], [0, 0]);
    // Sizes are shares of the clean value, as budgets are.
    const largest = measured[TAP]?.max ?? Number.NaN;
    assert.ok(largest > 0 && largest <= (SCALES[rung] ?? 0) * SHARE, `rung ${rung}: ${largest}`);
  }
});

/** Every input of the victim for a clip, with a batch axis. */
async function inputsOf(clip: string): Promise<Tensors> {
  const { card } = await victim.describe();
  const media = await readFile(join(ZOO, 'clips', `${clip}.mp4`));
  const { inputs } = await extraction.extract({ context: undefined, media, inputs: card.inputs, window: undefined });
  return new Map(
    inputs.flatMap(({ name, tensor }) => (tensor === undefined ? [] : [[name, batched(decodeTensor(tensor))]])),
  );
}

const batched = ({ dims, data }: DenseTensor): DenseTensor => ({ dims: [1, ...dims], data });

test('the score of a clip at a tap is what a prediction with that tap replaced says', async () => {
  const request = score.ScoreRequest.fromPartial({
    clips: [{ source: { $case: 'clipId', value: CLIP } }],
    threatModels: [THREAT],
    adversarial: score.AdversarialReturn.ADVERSARIAL_RETURN_TENSORS,
    seed: 1,
  });
  const found: score.ClipScore[] = [];
  for await (const { kind } of client.score(request)) if (kind?.$case === 'score') found.push(kind.value);
  const [one] = found;
  assert.ok(one?.criticalScale !== undefined && one.criticalScale > 0, 'it was on, and was turned off');
  assert.equal(one.featureSpace, true);
  assert.equal(one.assessment?.verdict, score.AssessmentVerdict.ASSESSMENT_VERDICT_SOUND);
  const [tensor] = one.adversarial;
  assert.ok(tensor?.name === TAP && tensor.tensor !== undefined);
  const value = decodeTensor(tensor.tensor);

  const { card } = await victim.describe();
  const inputs = await inputsOf(CLIP);
  const clean = (await victim.predict(inputs, { taps: [TAP] })).taps.get(TAP)?.data;
  assert.ok(clean instanceof Float32Array && value.data instanceof Float32Array);
  const share = perturbationNorms(value.data, clean).l2 / perturbationNorms(clean, new Float32Array(clean.length)).l2;
  assert.ok(share > 0 && share <= one.criticalScale * SHARE, `share ${share}`);
  assert.ok(Math.abs(share - (one.perturbations[0]?.norm ?? Number.NaN)) < 1e-6);

  const { logits } = await victim.predict(inputs, { tapValues: new Map([[TAP, batched(value)]]) });
  const heights = card.labels.flatMap(({ label, threshold }, index) =>
    one.labels.includes(label) ? [(logits.data[index] ?? Number.NaN) - threshold] : [],
  );
  const margin = Math.max(...heights);
  assert.ok(margin < 0 && Math.abs(margin - (one.adversarialMargin ?? Number.NaN)) < 1e-4, `margin ${margin}`);
});
