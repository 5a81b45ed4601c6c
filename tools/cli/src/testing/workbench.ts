import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TRAP_FAMILIES, trapVictim } from '@faultline/attack-algorithms/traps';
import { victim } from '@faultline/contracts';
import { decodeModel, encodeModel } from '@faultline/onnx';
import { parseCard } from '@faultline/victim';
import { VICTIMS_DIR } from '../workspace.ts';

/** [output channels, input channels, height, width] */
const CONVOLUTION_RANK = 4;

/** Large beside the other weights, so that figures of a few clips change too. */
const WEIGHT_CHANGE = 10;

/** A folder for one test file: victims, runs and campaign files of its own. */
export class Workbench implements AsyncDisposable {
  readonly root: string;

  private constructor(root: string) {
    this.root = root;
  }

  static async create(): Promise<Workbench> {
    const root = await mkdtemp(join(tmpdir(), 'faultline-test-'));
    await mkdir(join(root, 'victims'));
    await cp(join(VICTIMS_DIR, 'late'), join(root, 'victims/late'), { recursive: true });
    return new Workbench(root);
  }

  /** Arguments that make the command work here. */
  get folders(): readonly string[] {
    return ['--runs', join(this.root, 'runs'), '--victims', join(this.root, 'victims')];
  }

  get runsDir(): string {
    return join(this.root, 'runs');
  }

  get victimsDir(): string {
    return join(this.root, 'victims');
  }

  /** Copies the victim under another name, with 1 added to the first weight of its first convolution. */
  async editVictim(name: string): Promise<void> {
    const source = join(this.root, 'victims/late');
    const card: Record<string, unknown> = JSON.parse(await readFile(join(source, 'card.json'), 'utf8'));
    const file = String(card.model);
    const model = decodeModel(await readFile(join(source, file)));
    const [layer, weights] =
      [...model.graph.initializers].find(([, { dims }]) => dims.length === CONVOLUTION_RANK) ?? [];
    if (layer === undefined || !(weights?.data instanceof Float32Array))
      throw new Error('the victim has no convolution');
    const data = weights.data.slice();
    data[0] = (data[0] ?? 0) + WEIGHT_CHANGE;
    const initializers = new Map(model.graph.initializers).set(layer, { ...weights, data });
    const bytes = encodeModel({ ...model, graph: { ...model.graph, initializers } });
    const folder = join(this.root, 'victims', name);
    await mkdir(folder);
    await writeFile(join(folder, file), bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    await writeFile(join(folder, 'card.json'), JSON.stringify({ ...card, name, sha256 }));
  }

  /** Adds the victim "mid" with a steep function behind its logits: its decisions stay, its gradients are 0 wherever it is sure. */
  async maskVictim(name: string): Promise<void> {
    const source = join(VICTIMS_DIR, 'mid');
    const card = parseCard(await readFile(join(source, 'card.json'), 'utf8'));
    const { graph } = decodeModel(await readFile(join(source, card.model)));
    const [saturated] = TRAP_FAMILIES;
    if (saturated === undefined) throw new Error('there are no traps');
    // The last function of the family, and nearly the steepest form of it.
    const { masked } = trapVictim(saturated, { graph, card }, () => 0.99);
    const folder = join(this.root, 'victims', name);
    await mkdir(folder);
    await writeFile(join(folder, card.model), masked.model);
    await writeFile(join(folder, 'card.json'), JSON.stringify(victim.Card.toJSON({ ...masked.card, name })));
  }

  /** Writes a campaign on so many clips, half of which are off when clean, with one joint threat model. */
  async campaign(steps: number, clips = 8): Promise<string> {
    const path = join(this.root, `steps-${steps}-clips-${clips}.yaml`);
    const lines = [
      'name: tiny',
      'seed: 1',
      `clips: { limit: ${clips} }`,
      'threatModels:',
      '  - name: linf-both',
      '    norm: linf',
      '    variables: { waveform: 0.001, frames: 0.004 }',
      '    ladder: { early: [1], never: [4] }',
      `    steps: ${steps}`,
    ];
    await writeFile(path, `${lines.join('\n')}\n`);
    return path;
  }

  /** Folder of the newest run. */
  async newestRun(): Promise<string> {
    const runs = (await readdir(this.runsDir)).filter((name) => /^\d{8}-/.test(name)).sort();
    return join(this.runsDir, runs.at(-1) ?? '');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}
