import { loadConfig, runService } from '@faultline/service-kit';
import { featuresConfig } from './config.ts';
import { startFeatures } from './start-features.ts';

runService(() => startFeatures(loadConfig(featuresConfig)));
