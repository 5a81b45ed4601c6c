import { createHash } from 'node:crypto';
import type { attack } from '@faultline/contracts';

/** Version of the derivation; changing it changes every random start. */
const DOMAIN = 'faultline/noise-key/1';

/**
 * The 64-bit key of an example's noise: the first 8 bytes of SHA-256 over seed, clip and threat model. It does not depend on
 * rungs, steps or restarts, so that a longer ladder or more restarts extend a run instead of changing it. The loop mixes in
 * variable and restart.
 */
export function noiseKey(threatModel: attack.ThreatModel, clipSha256: string): bigint {
  const { name, norm, attack: algorithm, seed, variables } = threatModel;
  const budgets = variables.map(({ variable, rho, relative }) =>
    relative ? [variable, rho, 'relative'] : [variable, rho],
  );
  const text = JSON.stringify([DOMAIN, seed, clipSha256, name, algorithm, norm, budgets]);
  return createHash('sha256').update(text).digest().readBigUInt64LE(0);
}
