import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { victim } from '@faultline/contracts';
import { countMacs } from '@faultline/fusion';
import {
  checkGraph,
  constantOfNode,
  decodeModel,
  elementCount,
  encodeModel,
  externalDataIn,
  type Graph,
  modelOf,
  OnnxError,
  type ValueInfo,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { float32Data, OrtTensor, Session, settleBranches } from '@faultline/ort';
import { CARD_SCHEMA_VERSION, type Tensors } from '@faultline/victim';
import { composeBody, LocalVictim, MODEL_PREFIX, sha256Of, type VictimFiles } from '@faultline/victim-local';
import { Answers, type AnswersOptions, type Decision } from './answers.ts';
import { askHead, askOutput, type ValueRange } from './ask-head.ts';
import { askInput } from './ask-input.ts';
import { type Agreement, COMPARED_EXAMPLES, checkAgreement } from './check-agreement.ts';
import { type ForeignModel, readForeignModel } from './foreign-model.ts';
import { buildFrontEnd } from './front-end.ts';
import { buildHead, labelCount, needsHead } from './head.ts';
import { distinct, labelsInFile, readLabels } from './labels.ts';
import { unitDecibels } from './log-mel.ts';
import type { ModelInput } from './model-input.ts';
import { OnboardingError } from './onboarding-error.ts';
import { sampleInputs } from './sample-inputs.ts';
import { askThresholds, type ScoreMeaning } from './thresholds.ts';
import {
  CARD_FILE,
  externalData,
  FRONT_END_FILE,
  HEAD_FILE,
  MODEL_FILE,
  writeCard,
  writeGraphs,
} from './write-folder.ts';

/** Examples that the spread of the logits is measured on. */
const SCALE_EXAMPLES = 32;
const SCALE_BATCH = 4;
/** Above this a batch is not its examples, or the victim not the file: kernels of other sizes round differently, to about 1e-5. */
const LARGEST_DISAGREEMENT = 1e-2;

export interface InitCardOptions extends AnswersOptions {
  readonly model: string;
  /** Folder to write; default: the card's name, in the current folder. */
  readonly out?: string | undefined;
  /** File with the names of the labels. */
  readonly labels?: string | undefined;
  /** A front end of the caller's own, in place of one that is made here. */
  readonly frontEnd?: string | undefined;
  /** A head of the caller's own: its output "logits" is [batch, labels]. */
  readonly head?: string | undefined;
}

export interface InitCardResult {
  readonly folder: string;
  readonly card: victim.Card;
  readonly decisions: readonly Decision[];
  readonly agreement: Agreement;
}

/** Everything before the head. */
interface Body {
  readonly inputs: readonly victim.InputSpecification[];
  readonly modelInputs: readonly ModelInput[];
  readonly frontEnd: Uint8Array | undefined;
  readonly graph: Graph;
  readonly inlined: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
}

const output = (name: string): ValueInfo => ({ name, dataType: 'unknown', dims: undefined });

/**
 * Makes a victim of an ONNX file: infers and asks what it is given and what it tells, writes model, card and the graphs between into a
 * folder, and compares the result with the file.
 * @throws OnboardingError when an answer is missing or wrong, OnnxError when the model cannot be read, CardError when the parts do not fit.
 */
export async function initCard(options: InitCardOptions): Promise<InitCardResult> {
  const answers = new Answers(options);
  const model = await readForeignModel(options.model);
  const external = externalDataIn(path.dirname(path.resolve(model.path)));
  const files: VictimFiles = { model: model.bytes, external };
  const body = await makeBody(answers, options, model, files);
  const { head, logits, labels, meaning } = await makeHead(answers, options, model, body);
  // Somebody at the terminal is asked; nobody need answer, for p = 0.5 is what a sigmoid is trained for.
  const thresholds = await askThresholds(answers, labels, meaning, options.prompt === undefined);
  const name = await askName(answers, options.model);
  const card = victim.Card.fromPartial({
    schemaVersion: CARD_SCHEMA_VERSION,
    name,
    title: await answers.get({
      field: 'title',
      text: 'One line for people?',
      why: "The file's name.",
      default: path.basename(options.model),
      certain: true,
    }),
    fusion: fusionOf(body.inputs),
    model: MODEL_FILE,
    sha256: model.sha256,
    inputs: [...body.inputs],
    logits,
    labels: labels.map((label, index) => ({ label, threshold: thresholds.values[index] ?? 0 })),
    logitScale: 1,
    taps: tapsOf(body),
    parameters: countParameters(body.inlined),
    macs: countMacs(body.inlined, body.types),
    provenance: path.basename(options.model),
    licence: await answers.get({
      field: 'licence',
      text: "SPDX expression of the weights' licence?",
      why: 'A graph does not say.',
      default: 'NOASSERTION',
      certain: true,
    }),
    frontEnd: body.frontEnd && { name: FRONT_END_FILE, sha256: sha256Of(body.frontEnd) },
    head: head && { name: HEAD_FILE, sha256: sha256Of(head) },
    externalData: await externalData(model),
  });
  answers.finish();
  const agreement = await agreementOf(model, body, [...body.inlined.outputs][0]?.name ?? '', answers);
  const measured = await measure(
    { ...card, operatingPoint: 'not measured yet' },
    { ...files, frontEnd: body.frontEnd, head },
  );
  const finished: victim.Card = {
    ...card,
    logitScale: measured,
    operatingPoint: `${thresholds.told}; logit scale measured on ${SCALE_EXAMPLES} made-up inputs`,
  };
  const folder = path.resolve(options.out ?? name);
  const existing = path.join(folder, CARD_FILE);
  if (await exists(existing))
    throw new OnboardingError(`${existing} exists already; remove it, or give another folder with --out`);
  await writeGraphs(folder, { model, frontEnd: body.frontEnd, head });
  await writeCard(folder, finished);
  return { folder, card: finished, decisions: answers.decisions, agreement };
}

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  );

async function makeBody(
  answers: Answers,
  options: InitCardOptions,
  model: ForeignModel,
  files: VictimFiles,
): Promise<Body> {
  const own = options.frontEnd === undefined ? undefined : await readFile(options.frontEnd);
  const modelInputs: ModelInput[] = [];
  const asked = own === undefined ? model.graph.inputs : decodeModel(own).graph.inputs;
  for (const info of asked) modelInputs.push(await askInput(answers, info));
  const made = buildFrontEnd(modelInputs);
  if (own !== undefined && made.graph !== undefined)
    throw new OnboardingError(
      "a front end's own inputs are waveform [batch, samples] or frames [batch, frames, 3, height, width], by these names",
    );
  const frontEnd = own ?? (made.graph && encodeModel(modelOf(made.graph)));
  const graph = composeBody({ inputs: [...made.inputs] }, { ...files, frontEnd });
  checkGraph(graph);
  const settled = await settleBranches(graph).catch((cause: unknown) => {
    if (cause instanceof OnnxError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OnboardingError(
      `the model does not run on batches of 2 and 3 examples (${reason}); check the sizes given, or export it with a dynamic batch axis`,
      { cause },
    );
  });
  return {
    inputs: made.inputs,
    modelInputs,
    frontEnd,
    graph,
    inlined: settled.graph,
    types: settled.types,
  };
}

interface Head {
  readonly head: Uint8Array | undefined;
  readonly logits: string;
  readonly labels: readonly string[];
  /** What the logits say. */
  readonly meaning: ScoreMeaning;
}

async function makeHead(answers: Answers, options: InitCardOptions, model: ForeignModel, body: Body): Promise<Head> {
  if (options.head !== undefined) return ownHead(answers, options, model, body, options.head);
  const name = await askOutput(answers, body.inlined.outputs, body.modelInputs);
  const range = await rangeOf(body, name);
  const hears = body.inputs.some(({ kind }) => kind?.$case === 'waveform');
  const plan = await askHead(answers, { graph: body.graph, types: body.types, output: name, range, hears });
  const labels = await askLabels(answers, options, model, name, labelCount(plan.sizes));
  const meaning = plan.classes === 'exclusive' && plan.score === 'raw' && labels.length > 1 ? 'number' : 'probability';
  if (!needsHead(plan)) return { head: undefined, logits: plan.value, labels, meaning };
  const logits = valueNames(body.graph).has('logits') ? 'head-logits' : 'logits';
  return { head: encodeModel(modelOf(buildHead(plan, logits))), logits, labels, meaning };
}

async function ownHead(
  answers: Answers,
  options: InitCardOptions,
  model: ForeignModel,
  body: Body,
  file: string,
): Promise<Head> {
  const head = await readFile(file);
  const graph = decodeModel(head).graph;
  const logits = graph.outputs[0]?.name ?? '';
  const width = graph.outputs[0]?.dims?.[1];
  if (typeof width !== 'number')
    throw new OnboardingError(
      `--head ${file}: its first output must be declared [batch, LABELS] with a number of labels`,
    );
  const name = body.inlined.outputs[0]?.name ?? '';
  return { head, logits, labels: await askLabels(answers, options, model, name, width), meaning: 'probability' };
}

async function askLabels(
  answers: Answers,
  options: InitCardOptions,
  model: ForeignModel,
  name: string,
  count: number,
): Promise<string[]> {
  if (options.labels !== undefined) return readLabels(options.labels, count);
  const found = labelsInFile(model.metadata, name, count);
  const generated = Array.from({ length: count }, (_, index) => `label-${index}`);
  const text = await answers.get({
    field: 'labels',
    text: `Names of the ${count} labels, separated by commas (or --labels FILE)?`,
    why: found === undefined ? 'The file holds no names; numbered ones are made.' : `They are in ${found.where}.`,
    default: (found?.labels ?? generated).join(','),
    certain: found !== undefined,
  });
  const labels =
    found !== undefined && text === found.labels.join(',')
      ? found.labels
      : text.split(',').map((label) => label.trim());
  if (labels.length !== count)
    throw new OnboardingError(`--set labels names ${labels.length} labels, but the model has ${count}`);
  return distinct(labels);
}

function askName(answers: Answers, file: string): Promise<string> {
  const slug = path
    .basename(file, '.onnx')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return answers.get({
    field: 'name',
    text: 'Short name of the victim?',
    why: "From the file's name.",
    default: slug === '' ? 'victim' : slug,
    certain: true,
  });
}

function fusionOf(inputs: readonly victim.InputSpecification[]): victim.FusionVariant {
  const kinds = new Set(inputs.map(({ kind }) => kind?.$case));
  if (kinds.size > 1) return victim.FusionVariant.FUSION_VARIANT_UNSPECIFIED;
  return kinds.has('waveform')
    ? victim.FusionVariant.FUSION_VARIANT_AUDIO_ONLY
    : victim.FusionVariant.FUSION_VARIANT_VISUAL_ONLY;
}

/** Numbers that the graph holds, wherever it holds them, those of a front end included. */
function countParameters({ initializers, nodes }: Graph): number {
  const tensors = [...initializers.values(), ...nodes.flatMap((node) => constantOfNode(node) ?? [])];
  const weights = tensors.filter(({ dataType }) => dataType.startsWith('float'));
  return weights.reduce((sum, { dims }) => sum + elementCount(dims), 0);
}

/** What the front end makes of sound: features that attacks may change themselves. */
function tapsOf({ modelInputs, frontEnd, graph }: Body): victim.Tap[] {
  if (frontEnd === undefined) return [];
  const made = valueNames(graph);
  const mels = modelInputs.flatMap(({ info, role }) => (role.role === 'log-mel' ? [{ info, role }] : []));
  const taps = mels.map(({ info, role }, index) => {
    const decibels = unitDecibels(role.parameters);
    return {
      name: mels.length === 1 ? 'log-mel' : `log-mel.${index}`,
      value: `${MODEL_PREFIX}${info.name}`,
      logMel: decibels === undefined ? undefined : { decibels },
    };
  });
  return taps.filter(({ value }) => made.has(value));
}

async function valuesOf(
  graph: Graph,
  name: string,
  inputs: Tensors,
): Promise<{ data: Float32Array; dims: readonly number[] }> {
  await using session = await Session.create(modelOf({ ...graph, outputs: [output(name)] }));
  const feeds = Object.fromEntries(
    Array.from(inputs, ([key, { dims, data }]) => [key, new OrtTensor('float32', data as Float32Array, dims)]),
  );
  const tensor = (await session.run(feeds))[name];
  if (tensor === undefined) throw new RangeError(`the model gave no '${name}'`);
  return { data: float32Data(tensor), dims: tensor.dims };
}

async function rangeOf({ inlined, inputs }: Body, name: string): Promise<ValueRange> {
  const { data, dims } = await valuesOf(inlined, name, sampleInputs(inputs, SCALE_BATCH));
  const width = dims.at(-1) ?? 1;
  let [least, most, sumsToOne] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, width > 1];
  for (let row = 0; row < data.length; row += width) {
    const values = data.subarray(row, row + width);
    least = Math.min(least, ...values);
    most = Math.max(most, ...values);
    sumsToOne &&= Math.abs(values.reduce((sum, value) => sum + value, 0) - 1) < 1e-3;
  }
  return { least, most, sumsToOne };
}

async function agreementOf(model: ForeignModel, body: Body, fallback: string, answers: Answers): Promise<Agreement> {
  const name = answers.decisions.find(({ key }) => key === 'output')?.value ?? fallback;
  const front = body.frontEnd === undefined ? undefined : decodeModel(body.frontEnd).graph;
  const agreement = await checkAgreement(
    model.model,
    front,
    body.inlined,
    name,
    sampleInputs(body.inputs, COMPARED_EXAMPLES),
  );
  const percent = (share: number) => `${(100 * share).toPrecision(2)} %`;
  if (!(agreement.withFile <= LARGEST_DISAGREEMENT))
    throw new OnboardingError(
      `the victim's graph and the file differ by ${percent(agreement.withFile)} on sample inputs: it cannot be taken for the model`,
    );
  if (!(agreement.acrossBatch <= LARGEST_DISAGREEMENT))
    throw new OnboardingError(
      `a batch differs from its examples one by one by ${percent(agreement.acrossBatch)}: the model mixes examples, or was exported for one example alone; export it with a dynamic batch axis`,
    );
  return agreement;
}

/** Standard deviation of the logits over made-up inputs. */
async function measure(card: victim.Card, files: VictimFiles): Promise<number> {
  await using local = await LocalVictim.load({ card, ...files });
  const logits: number[] = [];
  for (let batch = 0; batch < SCALE_EXAMPLES / SCALE_BATCH; batch++) {
    const prediction = await local.predict(sampleInputs(card.inputs, SCALE_BATCH, batch + 1));
    logits.push(...prediction.logits.data);
  }
  if (!logits.every(Number.isFinite))
    throw new OnboardingError('the model predicts values that are not finite on sample inputs');
  const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
  const spread = Math.sqrt(logits.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logits.length);
  // A model that says the same of everything still has a unit: one logit.
  return spread > 0 ? spread : 1;
}
