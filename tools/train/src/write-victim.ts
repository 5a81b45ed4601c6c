import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { victim } from '@faultline/contracts';
import { buildVictim, countMacs, type FusionVariant, type VictimSpec } from '@faultline/fusion';
import { elementCount, encodeModel, modelOf } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { CARD_SCHEMA_VERSION, checkCard } from '@faultline/victim';
import type { KeptRun } from './kept-run.ts';

export const MODEL_FILE = 'model.onnx';
export const CARD_FILE = 'card.json';
/** Weights trained on Creative Commons, GPL and permissive sources: see zoo/victims/README.md. */
const WEIGHTS_LICENCE = 'CC-BY-SA-4.0';

const VARIANTS: Readonly<Record<FusionVariant, victim.FusionVariant>> = {
  audio: victim.FusionVariant.FUSION_VARIANT_AUDIO_ONLY,
  visual: victim.FusionVariant.FUSION_VARIANT_VISUAL_ONLY,
  early: victim.FusionVariant.FUSION_VARIANT_EARLY,
  mid: victim.FusionVariant.FUSION_VARIANT_MID,
  late: victim.FusionVariant.FUSION_VARIANT_LATE,
  decision: victim.FusionVariant.FUSION_VARIANT_DECISION,
};

/** How a title names what a victim does. */
const TITLES: Readonly<Record<FusionVariant, string>> = {
  audio: 'sound alone',
  visual: 'pictures alone',
  early: 'early fusion of sound and picture',
  mid: 'mid fusion of sound and picture',
  late: 'late fusion of sound and picture',
  decision: 'fusion of decisions on sound and picture',
};

/** What was measured of a victim when it was made. */
export interface Measured {
  /** One a label, in the order of the logits. */
  readonly labels: readonly victim.LabelThreshold[];
  readonly operatingPoint: string;
  readonly logitScale: number;
  readonly metrics: readonly victim.CleanMetrics[];
}

/** A finished victim. */
export interface VictimRecord extends KeptRun {
  readonly name: string;
  readonly spec: VictimSpec;
  readonly measured: Measured;
  /** The command that made it. */
  readonly provenance: string;
  readonly seedSpread: victim.SeedSpread | undefined;
}

/** Writes `model.onnx` and `card.json` of a victim into a folder. */
export async function writeVictim(dir: string, record: VictimRecord): Promise<void> {
  const { name, spec, weights, history, measured, provenance, seedSpread } = record;
  const { graph, inputs, parameters, taps } = buildVictim(spec, { kind: 'export', weights });
  const bytes = encodeModel(modelOf(graph));
  const card: victim.Card = {
    schemaVersion: CARD_SCHEMA_VERSION,
    name,
    title: `Reference victim, ${TITLES[spec.fusion]}`,
    fusion: VARIANTS[spec.fusion],
    model: MODEL_FILE,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    inputs: inputs.map(({ name, modality }) => ({
      name,
      kind:
        modality === 'audio' ? { $case: 'waveform', value: spec.waveform } : { $case: 'frames', value: spec.frames },
    })),
    logits: 'logits',
    labels: [...measured.labels],
    operatingPoint: measured.operatingPoint,
    logitScale: measured.logitScale,
    taps: [...taps],
    parameters: parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0),
    macs: countMacs(graph, await dryRun(graph)),
    metrics: [...measured.metrics],
    provenance,
    licence: WEIGHTS_LICENCE,
    frontEnd: undefined,
    head: undefined,
    externalData: [],
    seedSpread,
    trainingCost: history.cost,
    robustness: [],
  };
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, MODEL_FILE), bytes);
  await writeCard(dir, card);
}

/** @throws CardError when the card is incomplete. */
export async function writeCard(dir: string, card: victim.Card): Promise<void> {
  checkCard(card);
  await writeFile(join(dir, CARD_FILE), `${JSON.stringify(victim.Card.toJSON(card), undefined, 2)}\n`);
}
