import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import type { reflection } from '@faultline/contracts';
import { connect } from './client.ts';
import { OldReflectionService, ReflectionService } from './reflection.ts';
import { drain, startInference } from './test-services.ts';

const run = promisify(execFile);
const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const OVER_GRPC = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge'];
const INFERENCE = 'faultline.inference.v1alpha1.InferenceService';

type Question = NonNullable<reflection.ServerReflectionRequest['messageRequest']>;

async function ask(address: string, ...questions: Question[]): Promise<reflection.ServerReflectionResponse[]> {
  using client = connect(ReflectionService, address);
  const call = client.serverReflectionInfo();
  for (const messageRequest of questions) await call.send({ host: 'here', messageRequest });
  call.end();
  const { items, error } = await drain(call.responses);
  assert.equal(error, undefined);
  return items;
}

function fileNames({ messageResponse }: reflection.ServerReflectionResponse): string[] {
  assert.equal(messageResponse?.$case, 'fileDescriptorResponse');
  return messageResponse.value.fileDescriptorProto.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes).name);
}

test('a tool that knows no contract lists, describes and calls the methods of a server', async () => {
  await using server = await startInference();
  const url = `http://${server.address}`;
  const { stdout: methods } = await run(BUF, [...OVER_GRPC, '--list-methods', url]);
  const listed = methods.trim().split('\n');
  for (const method of [
    `${INFERENCE}/Describe`,
    `${INFERENCE}/Optimize`,
    'grpc.health.v1.Health/Check',
    'grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
  ]) {
    assert.ok(listed.includes(method), `${method} is missing in ${methods}`);
  }
  const { stdout: answer } = await run(BUF, [...OVER_GRPC, `${url}/${INFERENCE}/Describe`]);
  assert.deepEqual(JSON.parse(answer), { runtime: 'test' });
});

test('a symbol of any kind leads to its file, with all that the file imports behind it', async () => {
  await using server = await startInference();
  const symbols = [INFERENCE, `${INFERENCE}.Predict`, `${INFERENCE.replace('InferenceService', 'OpenRequest')}.clips`];
  const answers = await ask(
    server.address,
    ...symbols.map((value): Question => ({ $case: 'fileContainingSymbol', value })),
    { $case: 'fileByFilename', value: 'faultline/inference/v1alpha1/inference.proto' },
  );
  assert.equal(answers.length, 4);
  for (const answer of answers) {
    assert.deepEqual(fileNames(answer), [
      'faultline/inference/v1alpha1/inference.proto',
      'faultline/common/v1alpha1/common.proto',
      'faultline/victim/v1alpha1/card.proto',
    ]);
  }
  assert.equal(answers[0]?.validHost, 'here');
  assert.deepEqual(answers[0]?.originalRequest?.messageRequest, { $case: 'fileContainingSymbol', value: INFERENCE });
});

test('what there is not is refused by number and name, and the stream goes on', async () => {
  await using server = await startInference();
  const answers = await ask(
    server.address,
    { $case: 'fileContainingSymbol', value: 'no.such.Thing' },
    { $case: 'fileContainingSymbol', value: `${INFERENCE}.NoSuchMethod` },
    { $case: 'fileByFilename', value: '../../etc/passwd' },
    { $case: 'fileContainingExtension', value: { containingType: 'x.Y', extensionNumber: 7 } },
    { $case: 'allExtensionNumbersOfType', value: 'faultline.common.v1alpha1.Tensor' },
  );
  const refused = answers.slice(0, 4).map(({ messageResponse }) => {
    assert.equal(messageResponse?.$case, 'errorResponse');
    return messageResponse.value;
  });
  assert.deepEqual(
    refused.map(({ errorCode }) => errorCode),
    [5, 5, 5, 5],
  );
  assert.match(refused[0]?.errorMessage ?? '', /no\.such\.Thing/);
  assert.deepEqual(answers[4]?.messageResponse, {
    $case: 'allExtensionNumbersResponse',
    value: { baseTypeName: 'faultline.common.v1alpha1.Tensor', extensionNumber: [] },
  });
});

test('tools that speak the first version of the protocol are served too', async () => {
  await using server = await startInference();
  using client = connect(OldReflectionService, server.address);
  const call = client.serverReflectionInfo();
  await call.send({ host: '', messageRequest: { $case: 'listServices', value: '' } });
  const { value } = await call.responses.next();
  assert.deepEqual(value?.messageResponse?.value, {
    service: [{ name: INFERENCE }, { name: 'grpc.health.v1.Health' }, { name: 'grpc.reflection.v1.ServerReflection' }],
  });
  call.end();
});
