import { readFile } from 'node:fs/promises';
import type { score } from '@faultline/contracts';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import { UsageError } from '../exit-code.ts';
import { name, threatModelMessage, threatModelSchema } from '../threat-model/threat-model.ts';

const seed = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const campaign = z.strictObject({
  name,
  victims: z.union([z.literal('all'), z.array(name).min(1)]).default('all'),
  clips: z.strictObject({ set: z.string().default(''), limit: z.union([z.literal('all'), z.number().int().min(1)]) }),
  seed,
  threatModels: z.array(threatModelSchema).min(1),
  keepAdversarial: z.boolean().default(false),
  writeBack: z.array(z.string()).default([]),
});

type CampaignFile = z.output<typeof campaign>;

/**
 * Reads a campaign file.
 * @throws UsageError that names file, line, field and what is wrong.
 */
export async function readCampaignFile(path: string): Promise<score.CampaignSpecification> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new UsageError(`campaign file ${path} cannot be read: ${String(cause)}`, { cause });
  });
  return parseCampaign(text, path);
}

/** As `readCampaignFile`, from the text; `path` is for messages. */
export function parseCampaign(text: string, path: string): score.CampaignSpecification {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [problem] = document.errors;
  if (problem !== undefined) {
    throw new UsageError(`${path}:${lines.linePos(problem.pos[0]).line}: not YAML: ${problem.message}`);
  }
  const parsed = campaign.safeParse(document.toJS());
  if (parsed.success) return specificationOf(parsed.data);
  const lineOf = (field: readonly PropertyKey[]) => lines.linePos(offsetOf(document, field)).line;
  throw new UsageError(parsed.error.issues.map((issue) => describeIssue(issue, path, lineOf)).join('\n'));
}

/** Start of the field in the file, or of the nearest thing around it that is there. */
function offsetOf(document: ReturnType<typeof parseDocument>, field: readonly PropertyKey[]): number {
  for (let depth = field.length; depth > 0; depth -= 1) {
    const node: unknown = document.getIn(field.slice(0, depth), true);
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) {
      return Number(node.range[0]);
    }
  }
  return 0;
}

function describeIssue(
  issue: z.core.$ZodIssue,
  path: string,
  lineOf: (field: readonly PropertyKey[]) => number,
): string {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const field = unknown === undefined ? issue.path : [...issue.path, unknown];
  const problem = unknown === undefined ? issue.message : 'unknown field; remove it or correct its spelling';
  return `${path}:${lineOf(field)}: ${fieldName(field)}: ${problem}`;
}

function fieldName(field: readonly PropertyKey[]): string {
  if (field.length === 0) return 'campaign';
  return field
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index > 0 ? '.' : ''}${String(key)}`))
    .join('');
}

function specificationOf(file: CampaignFile): score.CampaignSpecification {
  const { name, victims, clips, seed, threatModels, keepAdversarial, writeBack } = file;
  return {
    name,
    victims: victims === 'all' ? [] : victims,
    clips: { set: clips.set, limit: clips.limit === 'all' ? 0 : clips.limit },
    threatModels: threatModels.map((model) => threatModelMessage(model, seed)),
    seed,
    keepAdversarial,
    writeBack,
  };
}
