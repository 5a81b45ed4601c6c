import { FaultlineError } from '@faultline/service-kit';
import { PROTOCOL_VERSION, type VictimDescription } from '@faultline/victim';

/** @throws FaultlineError failed_precondition when the caller's programs are of another protocol. */
export function checkProtocol(version: number): void {
  if (version === PROTOCOL_VERSION) return;
  throw new FaultlineError(
    'failed_precondition',
    `the caller speaks program protocol ${version} but this service speaks ${PROTOCOL_VERSION}: run the same release`,
  );
}

/** @throws FaultlineError failed_precondition when the caller means another model; `wanted` may be empty for any. */
export function checkModel(wanted: string, { card }: VictimDescription): void {
  if (wanted === '' || wanted === card.sha256) return;
  throw new FaultlineError(
    'failed_precondition',
    `the caller expects model ${wanted.slice(0, card.sha256.length)} but this service holds ${card.sha256}; describe it again`,
  );
}
