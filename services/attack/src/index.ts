export { type AttackConfig, attackConfig } from './config.ts';
export { startAttack } from './start-attack.ts';
