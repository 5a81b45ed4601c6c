import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type AttackRun, runAttack } from '@faultline/attack-algorithms';
import { attack, encodeTensor, features, score } from '@faultline/contracts';
import { RemoteVictim } from '@faultline/victim-grpc';
import { type Recorded, startRecordingInference } from './recording-inference.ts';

/** Anything real will do: it only has to be decodable and attackable. */
const CLIP = new URL('../../../zoo/clips/unseen-001.mp4', import.meta.url);
const CLIP_ID = 'unseen-001';

const CONTEXT = { caller: 'fuzz', idempotencyKey: '' };

/** Small enough that a spoilt one which is sound after all costs little. */
const THREAT_MODEL: attack.ThreatModel = attack.ThreatModel.fromPartial({
  name: 'linf-both',
  variables: [
    { variable: 'waveform', rho: 0.001, region: { windows: [{ startSeconds: 0, endSeconds: 1 }] } },
    { variable: 'frames', rho: 0.004, region: { boxes: [{ left: 0, top: 0, right: 0.5, bottom: 1 }] } },
  ],
  norm: attack.Norm.NORM_LINF,
  rungs: [
    { scale: 1, stopping: attack.Stopping.STOPPING_EARLY },
    { scale: 4, stopping: attack.Stopping.STOPPING_NEVER },
  ],
  attack: 'pgd',
  steps: 2,
  restarts: 1,
  seed: 1,
});

/** Where the services listen. */
export interface Addresses {
  readonly inference: string;
  readonly victim: string;
}

/** A sound call of each method that takes more than a name: the messages that it sends, by path. Loops are recorded from a real attack. */
export async function soundRequests({ inference, victim }: Addresses): Promise<ReadonlyMap<string, Uint8Array[]>> {
  const recorded: Recorded = new Map();
  await using recorder = await startRecordingInference(inference, recorded);
  await using remote = new RemoteVictim(recorder.address);
  const { card } = await remote.describe();
  const media = await readFile(CLIP);
  const labels = card.labels.length;
  const batch = new Map([
    ['waveform', { dims: [1, 32_000], data: new Float32Array(32_000).fill(0.01) }],
    ['frames', { dims: [1, 8, 3, 64, 64], data: new Uint8Array(8 * 3 * 64 * 64).fill(90) }],
  ]);
  const targets = { dims: [1, labels], data: new Float32Array(labels).fill(1) };
  const clipSha256: string[] = [createHash('sha256').update(media).digest('hex')];
  const run: AttackRun = { threatModel: THREAT_MODEL, modelSha256: card.sha256, inputs: batch, targets, clipSha256 };
  for await (const _ of runAttack(remote, run));
  await remote.predict(batch);
  await remote.differentiate({ inputs: batch, targets, objective: 'margin', variables: ['waveform'] });

  const inputs = Array.from(batch, ([name, tensor]) => ({ name, tensor: encodeTensor(tensor) }));
  const specification = {
    name: 'fuzz',
    victims: [victim],
    clips: { set: '', limit: 1 },
    threatModels: [THREAT_MODEL],
    seed: 1,
    keepAdversarial: false,
    writeBack: [],
  };
  const source = { $case: 'clipId' as const, value: CLIP_ID };
  const clips = [{ name: 'clip', source, labels: [] }];
  const attackRequest = {
    ...{ context: CONTEXT, victim, inputs, targets: encodeTensor(targets), clipSha256 },
    ...{ threatModel: THREAT_MODEL, modelSha256: card.sha256 },
  };
  const whole = [{ startSeconds: 0, durationSeconds: 2 }];
  const written: readonly (readonly [string, Uint8Array[]])[] = [
    [
      attack.AttackServiceService.attack.path,
      [attack.AttackRequest.encode(attack.AttackRequest.fromPartial(attackRequest)).finish()],
    ],
    [
      features.FeaturesServiceService.extract.path,
      [features.ExtractRequest.encode({ context: CONTEXT, media, inputs: card.inputs, window: undefined }).finish()],
    ],
    [
      features.FeaturesServiceService.extractStream.path,
      [
        { $case: 'open', value: { context: CONTEXT, inputs: card.inputs, windows: whole } } as const,
        { $case: 'media', value: media } as const,
      ].map((kind) => features.ExtractStreamRequest.encode({ kind }).finish()),
    ],
    [
      score.ScoreServiceService.startCampaign.path,
      [score.StartCampaignRequest.encode({ context: CONTEXT, specification }).finish()],
    ],
    [
      score.ScoreServiceService.predict.path,
      [score.PredictRequest.encode(score.PredictRequest.fromPartial({ victims: [victim], clips })).finish()],
    ],
    [
      score.ScoreServiceService.score.path,
      [
        score.ScoreRequest.encode(
          score.ScoreRequest.fromPartial({ victims: [victim], clips, threatModels: [THREAT_MODEL], seed: 1 }),
        ).finish(),
      ],
    ],
  ];
  const longest = Array.from(
    recorded,
    ([path, calls]) => [path, calls.toSorted((a, b) => b.length - a.length)[0] ?? []] as const,
  );
  return new Map([...longest, ...written]);
}
