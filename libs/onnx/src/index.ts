export { GraphBuilder, IR_VERSION, modelOf, OPSET } from './builder.ts';
export { decodeModel, encodeModel } from './codec.ts';
export { freeValues, joinGraphs, prefixValues, producers, prune, renameValues, valueNames } from './edit.ts';
export * from './model.ts';
export { allValueNames, type NodeRewrite, rewriteNodes } from './rewrite.ts';
export * from './tensor.ts';
export { OLDEST_OPSET, upgradeModel } from './upgrade.ts';
export { type AxisSize, type BatchAxis, isBatchAxis, type ValueType } from './value-type.ts';
