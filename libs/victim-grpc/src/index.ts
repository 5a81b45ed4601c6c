export { OipModel, type OipOptions } from './oip-model.ts';
export { type OipAnswers, OipLabelVictim, OipVictim } from './oip-victim.ts';
export { RemoteVictim, type RemoteVictimOptions } from './remote-victim.ts';
