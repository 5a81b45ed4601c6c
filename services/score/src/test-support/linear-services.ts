import { attack, type common, decodeTensor, encodeTensor, features, inference } from '@faultline/contracts';
import { decodeMedia } from '@faultline/media';
import { FaultlineError, type Handlers, type RunningServer, register, startServer } from '@faultline/service-kit';
import { float32Rows, toFloat32 } from '../peers/tensor-rows.ts';
import { FRAMES, LABELS, type LinearVictim, linearLogits, PIXELS, SAMPLES } from './linear-victim.ts';

// Features, inference and attack services of linear victims, over real gRPC. For tests of the score service alone.

const serve = (name: string, ...services: Parameters<typeof startServer>[0]['services']): Promise<RunningServer> =>
  startServer({ name, host: '127.0.0.1', port: 0, services, drainTimeoutMs: 100 });

function inputRows(inputs: readonly common.NamedTensor[], name: string): Float32Array[] {
  const tensor = inputs.find((one) => one.name === name)?.tensor;
  if (tensor === undefined) throw FaultlineError.invalid('inputs', `lacks '${name}'`);
  const { data, dims } = decodeTensor(tensor);
  if (!(data instanceof Uint8Array)) return float32Rows(tensor, dims[0] ?? 0, name);
  const size = data.length / (dims[0] ?? 1);
  return Array.from({ length: dims[0] ?? 0 }, (_, row) => toFloat32(data.slice(row * size, (row + 1) * size)));
}

/** Media of these services: JSON with the two inputs, pixels as 0..255; or what adversarial clips are written as, which is decoded. */
export interface LinearMedia {
  readonly waveform: readonly number[];
  readonly frames: readonly number[];
}

async function parseMedia(bytes: Uint8Array): Promise<LinearMedia> {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    const [waveform, frames] = await decodeMedia(bytes, [
      { kind: 'waveform', sampleRateHz: 16_000, samples: SAMPLES },
      { kind: 'frames', frameRateHz: 4, ...FRAMES },
    ]).catch(() => {
      throw FaultlineError.invalid('media', 'is neither JSON nor media');
    });
    return { waveform: [...(waveform?.data ?? [])], frames: [...(frames?.data ?? [])] };
  }
}

export function serveFeatures(onExtract: () => void): Promise<RunningServer> {
  const handlers: Handlers<typeof features.FeaturesServiceService> = {
    async extract(request) {
      onExtract();
      const media = await parseMedia(request.media);
      const inputs = request.inputs.map(({ name, kind }) => {
        const waveform = kind?.$case === 'waveform';
        const tensor = waveform
          ? encodeTensor({ dims: [SAMPLES], data: Float32Array.from(media.waveform) })
          : encodeTensor({ dims: [2, 3, 2, 2], data: Uint8Array.from(media.frames) });
        return { name, tensor };
      });
      return { inputs, mediaSha256: '' };
    },
    // biome-ignore lint/correctness/useYield: score sends whole files
    async *extractStream() {
      throw new FaultlineError('unimplemented', 'these media fit into one message');
    },
  };
  return serve('features', register(features.FeaturesServiceService, handlers));
}

/** What a victim's gradient is multiplied by where its margin is this. */
export type Slope = (margin: number) => number;

export function serveInference(model: LinearVictim, slope: Slope = () => 1): Promise<RunningServer> {
  const handlers: Handlers<typeof inference.InferenceServiceService> = {
    async describe() {
      return {
        card: model.card,
        protocolVersion: 2,
        optimizeSlots: 1,
        maxExamples: 64,
        runtime: 'linear 1',
        threads: 1,
        gradient: undefined,
        taps: [],
        optimizeBytes: 0,
      };
    },
    async predict(request) {
      const waveforms = inputRows(request.inputs, 'waveform');
      const frames = inputRows(request.inputs, 'frames');
      const logits = waveforms.flatMap((row, index) =>
        linearLogits(model, row, frames[index] ?? new Float32Array(PIXELS)),
      );
      return {
        logits: encodeTensor({ dims: [waveforms.length, LABELS.length], data: Float32Array.from(logits) }),
        modelSha256: model.card.sha256,
        cost: { forwardExamples: waveforms.length, gradientExamples: 0 },
        taps: [],
      };
    },
    async differentiate(request) {
      const waveforms = inputRows(request.inputs, 'waveform');
      const frames = inputRows(request.inputs, 'frames');
      const targets = float32Rows(request.targets, waveforms.length, 'targets');
      const rows = targets.map((target, row) => {
        const label = target.indexOf(1);
        const logits = linearLogits(model, waveforms[row] ?? new Float32Array(0), frames[row] ?? new Float32Array(0));
        const margin = (logits[label] ?? Number.NaN) - (model.card.labels[label]?.threshold ?? Number.NaN);
        return { label, logits, margin };
      });
      const gradients = request.variables.map((name) => {
        const data = rows.flatMap(({ label, margin }) =>
          Array.from(model.weights[name === 'waveform' ? 'waveform' : 'frames'][label] ?? [], (w) => w * slope(margin)),
        );
        const dims = [rows.length, ...(name === 'waveform' ? [SAMPLES] : [2, 3, 2, 2])];
        return { name, tensor: encodeTensor({ dims, data: Float32Array.from(data) }) };
      });
      const logits = Float32Array.from(rows.flatMap((row) => row.logits));
      return {
        gradients,
        loss: encodeTensor({ dims: [rows.length], data: Float32Array.from(rows, ({ margin }) => margin) }),
        logits: encodeTensor({ dims: [rows.length, LABELS.length], data: logits }),
        modelSha256: model.card.sha256,
        cost: { forwardExamples: rows.length, gradientExamples: rows.length },
      };
    },
    // biome-ignore lint/correctness/useYield: these victims are attacked in closed form, no loop is served
    async *optimize() {
      throw new FaultlineError('unimplemented', 'linear victims serve no loops');
    },
  };
  return serve('inference', register(inference.InferenceServiceService, handlers));
}

/** How the attack service of a test misbehaves. */
export interface AttackFaults {
  /** Multiplies every perturbation: above 1 breaks the budget. */
  readonly overshoot?: number;
  /** Share of their budget that attacks other than noise use. Default: all of it. */
  readonly share?: () => number;
  /** Subtracted from the margins that it claims. */
  readonly optimism?: number;
  /** Given: attacks other than noise follow gradients, which are multiplied by this. */
  readonly slope?: Slope;
  /** Awaited before each attack. */
  readonly before?: (request: attack.AttackRequest, signal: AbortSignal) => Promise<void>;
}

/** The largest step inward: epsilon times the weights' signs (L-inf), or the scaled weights (L2), kept in the range. */
function perturbed(
  clean: Float32Array,
  direction: Float32Array,
  model: attack.ThreatModel,
  epsilon: number,
  low: number,
) {
  const length = Math.hypot(...direction);
  // A hair less than epsilon: rounding to float32 must not exceed the budget.
  const budget = epsilon * (1 - 1e-6);
  return Float32Array.from(clean, (value, index) => {
    const weight = direction[index] ?? 0;
    const step = model.norm === attack.Norm.NORM_LINF ? Math.sign(weight) * budget : (weight / length) * budget;
    return Math.min(1, Math.max(low, value - step));
  });
}

/** Signs that look random and are always the same. */
function noiseDirection(size: number): Float32Array {
  return Float32Array.from({ length: size }, (_, index) => (Math.imul(index + 1, 0x9e3779b1) >>> 31 === 0 ? 1 : -1));
}

/** Beyond it nothing in the range is left to change, at the budgets of these tests. */
const LARGEST_SCALE = 1_000;
/** Share of its result up to which a search says that it failed. */
const FAILED_SHARE = 0.99;
const BISECTIONS = 40;

/** The smallest scale whose margin is below the tolerance, above `bound` where that is none. */
function smallestScale(margin: (scale: number) => number, bound: number): number {
  let [low, high] = [0, bound];
  if (!(margin(bound) <= -1e-4)) return Number.POSITIVE_INFINITY;
  for (let round = 0; round < BISECTIONS; round += 1) {
    const middle = (low + high) / 2;
    if (margin(middle) <= -1e-4) high = middle;
    else low = middle;
  }
  return high;
}

/** What a search of two points tells of a clip. */
function told(clip: number, scale: number): attack.ExampleEvidence {
  const isFound = Number.isFinite(scale);
  return attack.ExampleEvidence.fromPartial({
    clip,
    evaluations: 2,
    reachedRestart: isFound ? 0 : undefined,
    reachedStep: isFound ? 1 : undefined,
    lowestMargin: isFound ? -1e-4 : 1,
    path: [
      { step: 0, margin: 1, best: Number.POSITIVE_INFINITY },
      { step: 1, margin: isFound ? -1e-4 : 1, best: scale },
    ],
    bestByRestart: [scale],
    gradients: [{ variable: 'waveform', evaluations: 1, zeros: 0, largest: 1 }],
  });
}

const FORMS = ['strict', 'legacy'];
const FILLS = ['circular', 'silence'];

/** The same for all clips: every sample lower by epsilon, so that every logit falls by gain x epsilon. */
function lowered({ variables }: attack.ThreatModel, rung: number, scale: number): attack.UniversalResult {
  const perturbations = variables.map(({ variable, rho }) => {
    const shape = variable === 'waveform' ? [SAMPLES] : [2, 3, 2, 2];
    const data = new Float32Array(variable === 'waveform' ? SAMPLES : PIXELS).fill(-scale * rho * (1 - 1e-6));
    return { name: variable, tensor: encodeTensor({ dims: [1, ...shape], data }) };
  });
  return { rung, perturbations, norms: [], reachedByPass: [0.5, 1] };
}

export function serveAttack(models: readonly LinearVictim[], faults: AttackFaults = {}): Promise<RunningServer> {
  const { overshoot = 1, optimism = 0 } = faults;
  const norms = [attack.Norm.NORM_LINF, attack.Norm.NORM_L2];
  const handlers: Handlers<typeof attack.AttackServiceService> = {
    async listAttacks() {
      const { ATTACK_KIND_MINIMUM_NORM, ATTACK_KIND_UNIVERSAL, ATTACK_KIND_UNSPECIFIED } = attack.AttackKind;
      const { ATTACK_KNOWLEDGE_GRADIENTS, ATTACK_KNOWLEDGE_UNSPECIFIED } = attack.AttackKnowledge;
      const knowledgeOf = (name: string) =>
        faults.slope !== undefined && name !== 'noise' ? ATTACK_KNOWLEDGE_GRADIENTS : ATTACK_KNOWLEDGE_UNSPECIFIED;
      const form = {
        name: 'form',
        type: { $case: 'choice', value: { values: FORMS, defaultValue: 'strict' } },
      } as const;
      // Asked for and not heeded: what successes are worth at other onsets is score's to find out.
      const share = {
        name: 'shift_share',
        type: { $case: 'number', value: { minimum: 0, maximum: 0.5, defaultValue: 0 } },
      } as const;
      const fill = {
        name: 'shift_fill',
        type: { $case: 'choice', value: { values: FILLS, defaultValue: 'circular' } },
      } as const;
      return {
        attacks: [
          { name: 'pgd', kind: ATTACK_KIND_UNSPECIFIED, parameters: [share, fill] },
          { name: 'noise', kind: ATTACK_KIND_UNSPECIFIED },
          { name: 'fmn', kind: ATTACK_KIND_MINIMUM_NORM },
          { name: 'transfer', kind: ATTACK_KIND_UNSPECIFIED, needsSurrogate: true },
          { name: 'universal', kind: ATTACK_KIND_UNIVERSAL, parameters: [form] },
        ].map((one) => attack.AttackDescription.fromPartial({ ...one, norms, knowledge: knowledgeOf(one.name) })),
      };
    },
    async *attack(request, { signal }) {
      await faults.before?.(request, signal);
      const model = models.find((one) => one.card.name === request.victim);
      const threatModel = request.threatModel;
      if (model === undefined || threatModel === undefined) throw new FaultlineError('not_found', 'no such victim');
      const crafting = models.find((one) => one.card.name === (threatModel.surrogate || request.victim));
      if (crafting === undefined) throw new FaultlineError('not_found', 'no such surrogate');
      const clean = { waveform: inputRows(request.inputs, 'waveform'), frames: inputRows(request.inputs, 'frames') };
      const targets = float32Rows(request.targets, clean.waveform.length, 'targets');
      /** A clip perturbed at a scale. */
      const attacked = (target: Float32Array, clip: number, scale: number) => {
        const label = target.indexOf(1);
        const point = { waveform: clean.waveform[clip], frames: clean.frames[clip] };
        for (const { variable, rho } of threatModel.variables) {
          const name = variable === 'waveform' ? 'waveform' : 'frames';
          const weights = crafting.weights[name][label] ?? new Float32Array(0);
          const direction = threatModel.attack === 'noise' ? noiseDirection(weights.length) : weights;
          const x0 = clean[name][clip] ?? new Float32Array(0);
          const low = name === 'waveform' ? -1 : 0;
          const used = threatModel.attack === 'noise' ? 1 : (faults.share?.() ?? 1);
          point[name] = perturbed(x0, direction, threatModel, scale * rho * overshoot * used, low);
        }
        const { waveform = new Float32Array(0), frames = new Float32Array(0) } = point;
        const margin = (linearLogits(model, waveform, frames)[label] ?? 0) - (model.card.labels[label]?.threshold ?? 0);
        return { clip, waveform, frames, margin: margin - optimism };
      };
      // As the attack service does, nothing at all where there are no rows.
      const tensorsOf = (kept: readonly ReturnType<typeof attacked>[]) =>
        (kept.length === 0 ? [] : threatModel.variables).map(({ variable }) => {
          const name = variable === 'waveform' ? 'waveform' : 'frames';
          const shape = name === 'waveform' ? [SAMPLES] : [2, 3, 2, 2];
          const size = name === 'waveform' ? SAMPLES : PIXELS;
          const data = new Float32Array(kept.length * size);
          for (const [index, row] of kept.entries()) data.set(row[name], index * size);
          return { name, tensor: encodeTensor({ dims: [kept.length, ...shape], data }) };
        });
      if (threatModel.attack === 'universal') {
        for (const [rung, { scale }] of threatModel.rungs.entries()) {
          yield { kind: { $case: 'universal', value: lowered(threatModel, rung, scale * overshoot) } };
        }
        const gradientExamples = threatModel.steps * targets.length * threatModel.rungs.length;
        yield { kind: { $case: 'cost', value: { forwardExamples: 0, gradientExamples } } };
        return;
      }
      if (threatModel.rungs.length === 0) {
        const found = targets.map((target, clip) => {
          const bound = threatModel.maxScale ?? LARGEST_SCALE;
          const scale = smallestScale((one) => attacked(target, clip, one).margin, bound);
          return { clip, scale, row: scale > bound ? undefined : attacked(target, clip, scale) };
        });
        const rows = found.flatMap(({ row }) => row ?? []);
        const intervals = found.map(({ clip, scale, row }) => ({
          clip,
          failedScale: Math.min(scale, threatModel.maxScale ?? scale) * FAILED_SHARE,
          reachedScale: row === undefined ? undefined : scale,
        }));
        const clips = rows.map(({ clip }) => clip);
        const scales = found.flatMap(({ scale, row }) => (row === undefined ? [] : [scale]));
        const margins = rows.map(({ margin }) => margin);
        yield { kind: { $case: 'search', value: { intervals, clips, adversarial: tensorsOf(rows), scales, margins } } };
        yield { kind: { $case: 'evidence', value: { examples: found.map(({ clip, scale }) => told(clip, scale)) } } };
        yield { kind: { $case: 'cost', value: { forwardExamples: rows.length, gradientExamples: rows.length } } };
        return;
      }
      const reached = new Set<number>();
      for (const [rung, { scale, stopping }] of threatModel.rungs.entries()) {
        yield { kind: { $case: 'progress', value: { stepsDone: rung, stepsPlanned: threatModel.rungs.length } } };
        const rows = targets.map((target, clip) => attacked(target, clip, scale));
        const never = stopping === attack.Stopping.STOPPING_NEVER;
        const kept = rows.filter((row) => never || (row.margin <= -1e-4 && !reached.has(row.clip)));
        for (const row of rows) if (row.margin <= -1e-4) reached.add(row.clip);
        const clips = kept.map((row) => row.clip);
        const margins = kept.map((row) => row.margin);
        yield { kind: { $case: 'result', value: { rung, clips, adversarial: tensorsOf(kept), margins } } };
      }
      const examples = targets.length * threatModel.rungs.length;
      yield { kind: { $case: 'cost', value: { forwardExamples: examples, gradientExamples: examples } } };
    },
  };
  return serve('attack', register(attack.AttackServiceService, handlers));
}
