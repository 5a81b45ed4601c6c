export { RemoteVictim, type RemoteVictimOptions } from './remote-victim.ts';
