export { Stack, type StackOptions } from './stack/stack.ts';
