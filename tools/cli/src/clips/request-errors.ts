import type { score } from '@faultline/contracts';
import { FaultlineError, type FieldViolation } from '@faultline/service-kit';
import { UsageError } from '../exit-code.ts';

/** How a refused field is told to the caller of the command line. */
export interface FieldWords {
  readonly pattern: RegExp;
  readonly tell: (violation: FieldViolation) => string;
}

/** Fields of a request that belong to one option. */
export const optionWords = (pattern: RegExp, option: (field: string) => string): FieldWords => ({
  pattern,
  tell: ({ field, description }) => `${option(field)}: ${description}`,
});

/** Fields of the clips of a request. */
export function clipWords(clips: readonly score.ClipSource[]): FieldWords[] {
  const tellClip = ({ field, description }: FieldViolation): string => {
    const clip = clips[Number(/\[(\d+)\]/.exec(field)?.[1] ?? -1)];
    if (clip === undefined) return description;
    if (clip.source?.$case === 'clipId') return `${clip.name} is no file, and ${description}`;
    return description.includes(clip.name) ? description : `${clip.name}: ${description}`;
  };
  const tellLabels = ({ description }: FieldViolation): string =>
    `--labels: ${description}; \`faultline victims --json\` lists what each victim knows`;
  return [
    { pattern: /^clips\[\d+\]\.labels/, tell: tellLabels },
    { pattern: /^clips/, tell: tellClip },
  ];
}

/**
 * Waits for a call, and tells what it refuses in the words of the command line.
 * @throws UsageError for an invalid argument; other errors as they come.
 */
export async function inTermsOf<T>(words: readonly FieldWords[], call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof FaultlineError) || error.code !== 'invalid_argument' || error.violations.length === 0) {
      throw error;
    }
    const told = wholeViolations(error).map((violation) => tell(words, violation));
    throw new UsageError([...new Set(told)].join('\n'), { cause: error });
  }
}

/** Violations are shortened on their way, more than messages are; the message of a single one is that one. */
function wholeViolations({ violations, message }: FaultlineError): readonly FieldViolation[] {
  const [only, ...others] = violations;
  if (only === undefined || others.length > 0 || !message.startsWith(`${only.field}: `)) return violations;
  return [{ field: only.field, description: message.slice(only.field.length + 2) }];
}

function tell(words: readonly FieldWords[], violation: FieldViolation): string {
  const known = words.find(({ pattern }) => pattern.test(violation.field));
  return known === undefined ? `${violation.field}: ${violation.description}` : known.tell(violation);
}
