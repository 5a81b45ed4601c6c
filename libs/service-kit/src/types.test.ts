import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type attack, inference } from '@faultline/contracts';
import { type Client, connect } from './client.ts';
import type { BidiCall, CallContext, CallOptions, Handlers } from './service-definition.ts';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type InferenceHandlers = Handlers<typeof inference.InferenceServiceService>;
type InferenceClient = Client<typeof inference.InferenceServiceService>;
type AttackHandlers = Handlers<typeof attack.AttackServiceService>;
type AttackClient = Client<typeof attack.AttackServiceService>;

// The compiler is the test: each constant only takes `true` while the type on its left is what it should be.
const predictHandler: Equal<
  InferenceHandlers['predict'],
  (request: inference.PredictRequest, context: CallContext) => Promise<inference.PredictResponse>
> = true;
const optimizeHandler: Equal<
  InferenceHandlers['optimize'],
  (
    requests: AsyncIterable<inference.OptimizeRequest>,
    context: CallContext,
  ) => AsyncIterable<inference.OptimizeResponse>
> = true;
const attackHandler: Equal<
  AttackHandlers['attack'],
  (request: attack.AttackRequest, context: CallContext) => AsyncIterable<attack.AttackResponse>
> = true;
const predictCall: Equal<
  InferenceClient['predict'],
  (request: inference.PredictRequest, options?: CallOptions) => Promise<inference.PredictResponse>
> = true;
const attackCall: Equal<
  AttackClient['attack'],
  (request: attack.AttackRequest, options?: CallOptions) => AsyncIterableIterator<attack.AttackResponse>
> = true;
const optimizeCall: Equal<
  InferenceClient['optimize'],
  (options?: CallOptions) => BidiCall<inference.OptimizeRequest, inference.OptimizeResponse>
> = true;

test('handlers and clients have exactly the types of their definition', () => {
  const checked = [predictHandler, optimizeHandler, attackHandler, predictCall, attackCall, optimizeCall];
  assert.deepEqual(new Set(checked), new Set([true]));
  using client = connect(inference.InferenceServiceService, '127.0.0.1:1', { idempotent: ['describe', 'predict'] });
  assert.deepEqual(Object.keys(client).sort(), [
    'close',
    'describe',
    'differentiate',
    'optimize',
    'predict',
    'waitForReady',
  ]);
});
