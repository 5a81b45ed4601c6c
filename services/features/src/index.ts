export { type FeaturesConfig, featuresConfig } from './config.ts';
export { startFeatures } from './start-features.ts';
