import { mkdir, writeFile } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { type common, decodeTensor, type score, type victim } from '@faultline/contracts';
import { encodeFloatWav } from '@faultline/media/encode-wav';
import { UsageError } from '../exit-code.ts';
import { budget } from '../output/figures.ts';
import { encodeNpy } from './npy.ts';

/** Makes the folder; called before the work, so that a mistake costs no minutes. */
export async function makeSaveFolder(folder: string, option = '--save'): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw new UsageError(
      `${option}: ${folder} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}

/** What the names of a clip's files begin with, for each clip another: "seen-001" of "zoo/clips/seen-001.mp4". */
export function fileStems(clips: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set<string>();
  return new Map(
    clips.map((clip) => {
      const plain = fileName(basename(clip, extname(clip)));
      let stem = plain;
      for (let copy = 2; taken.has(stem); copy += 1) stem = `${plain}-${copy}`;
      taken.add(stem);
      return [clip, stem];
    }),
  );
}

/**
 * Writes the adversarial tensors of a score, each exactly: a waveform as a WAV file of 32-bit floats, anything else as .npy.
 * @param stem what the files' names begin with
 * @returns names of the files in the folder
 */
export async function saveExample(
  folder: string,
  stem: string,
  found: score.ClipScore,
  inputs: readonly victim.InputSpecification[],
): Promise<string[]> {
  return Promise.all(
    found.adversarial.map(async ({ name, tensor }) => {
      const file = [stem, found.victim, name].map(fileName).join('.');
      const { suffix, bytes } = encodeInput(name, tensor, inputs);
      await writeFile(join(folder, `${file}.${suffix}`), bytes);
      return `${file}.${suffix}`;
    }),
  );
}

/**
 * Writes the perturbations of a universal attack in the same forms, each of its budgets.
 * @returns names of the files in the folder
 */
export async function savePerturbations(
  folder: string,
  { victim, rungs }: score.UniversalScore,
  inputs: readonly victim.InputSpecification[],
): Promise<string[]> {
  const kept = rungs.flatMap(({ scale, variables }) =>
    variables.flatMap(({ variable, perturbation }) => (perturbation ? [{ scale, variable, perturbation }] : [])),
  );
  return Promise.all(
    kept.map(async ({ scale, variable, perturbation }) => {
      const file = ['universal', victim, variable, `scale-${budget(scale)}`].map(fileName).join('.');
      const { suffix, bytes } = encodeInput(variable, perturbation, inputs);
      await writeFile(join(folder, `${file}.${suffix}`), bytes);
      return `${file}.${suffix}`;
    }),
  );
}

function encodeInput(
  name: string,
  tensor: common.Tensor | undefined,
  inputs: readonly victim.InputSpecification[],
): { readonly suffix: string; readonly bytes: Uint8Array } {
  const { data, dims } = tensor === undefined ? { data: undefined, dims: [] } : decodeTensor(tensor);
  if (!(data instanceof Float32Array)) throw new TypeError(`the adversarial tensor of ${name} is not float32`);
  const kind = inputs.find((input) => input.name === name)?.kind;
  return kind?.$case === 'waveform'
    ? { suffix: 'wav', bytes: encodeFloatWav(data, kind.value.sampleRateHz) }
    : { suffix: 'npy', bytes: encodeNpy(data, dims) };
}

const fileName = (text: string): string => text.replaceAll(/[^\w-]+/g, '-');
