import { loadConfig, runService } from '@faultline/service-kit';
import { attackConfig } from './config.ts';
import { startAttack } from './start-attack.ts';

runService(() => startAttack(loadConfig(attackConfig)));
