import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkVictim, gradcheckModel, initCard, inspectModel, tryAttack } from '@faultline/onboarding';
import { decodeModel } from '@faultline/onnx';
import { FOREIGN_VICTIMS, type ForeignVictim, PACKAGES, wakeWordFrontEnd } from './foreign-victims.ts';

/**
 * Makes victims of classifiers that this project did not make, from published packages, and takes each all the way: card, prediction, inspection,
 * gradients, attack. The packages stay in a temporary folder. Needs the npm registry, so no suite runs it.
 */
const folder = await mkdtemp(join(tmpdir(), 'faultline-foreign-'));
try {
  await promisify(execFile)('npm', [
    'install',
    '--prefix',
    folder,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    ...Object.values(PACKAGES),
  ]);
  const head = [
    'victim',
    'what it takes',
    'opset',
    'nodes',
    'differs from the file by',
    'gradients',
    'gradcheck',
    'worst error',
    'strongest logit, attacked',
    'seconds',
  ];
  const print = (cells: readonly string[]) => process.stdout.write(`| ${cells.join(' | ')} |\n`);
  for (const cells of [head, head.map(() => '---')]) print(cells);
  for (const victim of FOREIGN_VICTIMS) {
    const cells = await row(victim);
    print(cells);
    if (!cells.includes('agrees')) process.exitCode = 1;
  }
} finally {
  await rm(folder, { recursive: true });
}

async function row(victim: ForeignVictim): Promise<string[]> {
  const started = performance.now();
  const model = join(folder, 'node_modules', victim.model);
  const { opset, graph } = decodeModel(await readFile(model));
  const out = join(folder, 'victims', victim.name);
  await mkdir(out, { recursive: true });
  const frontEnd = victim.before === undefined ? undefined : join(out, 'own-front-end.onnx');
  if (frontEnd !== undefined) await writeFile(frontEnd, await frontEndOf(victim, graph.inputs[0]?.name ?? ''));
  const { agreement } = await initCard({
    model,
    out,
    frontEnd,
    given: [...victim.set, `name=${victim.name}`],
    defaults: 'accepted',
  });
  const { gradient } = await checkVictim(out);
  const { inspection } = await inspectModel(out);
  const check = await gradcheckModel(out, { points: [1], directions: 3 });
  const attacked = await tryAttack(out);
  const figure = (value: number) => value.toFixed(2);
  return [
    victim.name,
    victim.what,
    String(opset),
    String(inspection.nodes.length),
    agreement.withFile.toExponential(0),
    gradient,
    check.outcome,
    check.worst.toExponential(1),
    `${figure(attacked.before)} to ${figure(attacked.after)} in ${attacked.steps} steps`,
    ((performance.now() - started) / 1000).toFixed(1),
  ];
}

async function frontEndOf({ before }: ForeignVictim, input: string): Promise<Uint8Array> {
  const read = (path = '') => readFile(join(folder, 'node_modules', path));
  return wakeWordFrontEnd(
    await read(before?.spectrogram),
    await read(before?.embedding),
    before?.embeddings ?? 1,
    input,
  );
}
