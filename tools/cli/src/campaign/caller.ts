/** Who asks, as campaigns record it. */
export const CALLER = { caller: 'faultline-cli', idempotencyKey: '' };
