import { attack } from '@faultline/contracts';
import { type ClipShape, parseWriteForm, type WriteForm, writeProblem } from '@faultline/media/write-back';
import { attackedTaps } from '../peers/clean-taps.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { Report } from '../planning/violations.ts';

const MAX_FORMS = 8;

const { DOMAIN_UNSPECIFIED, DOMAIN_AMPLITUDE, DOMAIN_PIXELS } = attack.Domain;
/** Domains in which a perturbed value is a value of a file. */
const WRITABLE_DOMAINS: ReadonlySet<attack.Domain> = new Set([DOMAIN_UNSPECIFIED, DOMAIN_AMPLITUDE, DOMAIN_PIXELS]);

/** Size and rate of what a victim is given, as far as a file can hold it. */
export function shapeOf({ card }: VictimUnderTest): ClipShape {
  const kinds = card.inputs.map(({ kind }) => kind);
  return {
    pictures: kinds.find((kind) => kind?.$case === 'frames')?.value,
    sampleRateHz: kinds.find((kind) => kind?.$case === 'waveform')?.value.sampleRateHz,
  };
}

/** Reads the forms of a request at `path`; what is wrong with them, or with threat models that are to be written, is reported. */
export function checkWriteForms(
  texts: readonly string[],
  path: string,
  victims: readonly VictimUnderTest[],
  threatModels: readonly attack.ThreatModel[],
  report: Report,
): WriteForm[] {
  if (texts.length > MAX_FORMS) report(path, `has ${texts.length} forms; give at most ${MAX_FORMS}`);
  const forms = texts.slice(0, MAX_FORMS).flatMap((text, index) => {
    const field = `${path}[${index}]`;
    const form = parsed(text, field, report);
    if (form === undefined) return [];
    for (const victim of victims) {
      const problem = writeProblem(shapeOf(victim), form);
      if (problem !== undefined) report(field, `'${form.name}', victim '${victim.name}': ${problem}`);
    }
    return [form];
  });
  const twice = forms.find(({ name }, index) => forms.findIndex((one) => one.name === name) !== index);
  if (twice !== undefined) report(path, `names '${twice.name}' twice; name each form once`);
  if (texts.length === 0) return forms;
  checkVictims(victims, path, report);
  for (const threatModel of threatModels) {
    const { name, variables } = threatModel;
    const [tap] = victims.flatMap((victim) => attackedTaps(victim, threatModel));
    if (tap !== undefined) {
      const why = 'a tap: feature-space, no sound or picture need exist that has these features';
      report(
        path,
        `threat model '${name}' changes '${tap}', ${why}; attack the waveform or the pixels, or ask for no files`,
      );
      continue;
    }
    const unwritable = variables.find(({ domain }) => !WRITABLE_DOMAINS.has(domain));
    if (unwritable === undefined) continue;
    const what = `threat model '${name}' changes '${unwritable.variable}' in ${attack.domainToJSON(unwritable.domain)}`;
    report(path, `${what}, which no file holds; attack the waveform or the pixels, or ask for no files`);
  }
  return forms;
}

function parsed(text: string, field: string, report: Report): WriteForm | undefined {
  try {
    return parseWriteForm(text);
  } catch (thrown) {
    report(field, thrown instanceof Error ? thrown.message : String(thrown));
    return undefined;
  }
}

/** A file is read with one sound and one sequence of pictures. */
function checkVictims(victims: readonly VictimUnderTest[], path: string, report: Report): void {
  for (const { name, card } of victims) {
    for (const kind of ['waveform', 'frames'] as const) {
      const inputs = card.inputs.filter((input) => input.kind?.$case === kind).map((input) => input.name);
      if (inputs.length < 2) continue;
      report(path, `victim '${name}' has several inputs of one kind (${inputs.join(', ')}), and a file holds one`);
    }
  }
}
