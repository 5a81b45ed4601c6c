import { FaultlineError } from '@faultline/service-kit';
import { UsageError } from '../exit-code.ts';

/** Adds the remedy to what a call says of a campaign that does not exist. */
export async function knownCampaign<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof FaultlineError) || error.code !== 'not_found') throw error;
    throw new UsageError(`${error.message}; \`faultline campaign list\` lists them`, { cause: error });
  }
}
