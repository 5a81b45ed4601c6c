import type * as Onboarding from '@faultline/onboarding';
import { UsageError } from '../exit-code.ts';

/** Errors that speak of the caller's file or answers. */
const USAGE_ERRORS = new Set(['OnboardingError', 'OnnxError', 'CardError']);

/**
 * Works with a model in this process. The runtime is loaded for these commands alone: it takes longer than most others run.
 * @throws UsageError for a file that cannot be used, or an answer that is missing or wrong.
 */
export async function withOnboarding<T>(work: (onboarding: typeof Onboarding) => Promise<T>): Promise<T> {
  try {
    return await work(await import('@faultline/onboarding'));
  } catch (error) {
    const isFile = error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EISDIR');
    if (error instanceof Error && (isFile || USAGE_ERRORS.has(error.name)))
      throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Adds the options that tell sizes and values which a file leaves open. */
export interface LookFlags {
  readonly shape?: readonly string[];
  readonly value?: readonly string[];
}

/** Parser of an option that may be repeated, each time with one value. */
export const repeated = (text: string, earlier: readonly string[] = []): string[] => [...earlier, text];
