import { createFileRegistry, type DescFile, fromBinary, type Registry, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readDescriptorSet, reflection } from '@faultline/contracts';
import { statusOf } from './grpc-status.ts';
import type { Handlers } from './service-definition.ts';

/** The standard reflection service, by which grpcurl and its like learn the contracts. */
export const ReflectionService = reflection.ServerReflectionService;

/** Tools that are some years old still ask for the first version, which has the same messages. */
export const OldReflectionService = {
  serverReflectionInfo: {
    ...ReflectionService.serverReflectionInfo,
    path: '/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo' as string,
  },
} as const;

type Answer = reflection.ServerReflectionResponse['messageResponse'];
type Question = reflection.ServerReflectionRequest['messageRequest'];

/**
 * Reflection handlers of a server.
 * @param services full names of the services that it lists
 */
export function reflectionHandlers(services: readonly string[]): Handlers<typeof OldReflectionService> {
  // Most servers are never asked, so the contracts are read at the first question.
  let contracts: Contracts | undefined;
  return {
    async *serverReflectionInfo(requests) {
      contracts ??= new Contracts(services);
      for await (const request of requests) {
        yield {
          validHost: request.host,
          originalRequest: request,
          messageResponse: contracts.answer(request.messageRequest),
        };
      }
    },
  };
}

/** The contracts as a client may ask for them. */
class Contracts {
  readonly #services: readonly string[];
  readonly #registry: Registry & { readonly files: Iterable<DescFile> };

  constructor(services: readonly string[]) {
    this.#services = services;
    this.#registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readDescriptorSet()));
  }

  answer(question: Question): Answer {
    switch (question?.$case) {
      case 'listServices':
        return {
          $case: 'listServicesResponse',
          value: { service: this.#services.map((name) => ({ name })) },
        };
      case 'fileByFilename':
        return described(this.#fileNamed(question.value), `file '${question.value}'`);
      case 'fileContainingSymbol':
        return described(this.#fileDeclaring(question.value), `symbol '${question.value}'`);
      case 'fileContainingExtension':
        return refused('not_found', `'${question.value.containingType}' has no extensions`);
      case 'allExtensionNumbersOfType':
        return this.#registry.getMessage(question.value) === undefined
          ? refused('not_found', `the contracts have no message '${question.value}'`)
          : {
              $case: 'allExtensionNumbersResponse',
              value: { baseTypeName: question.value, extensionNumber: [] },
            };
      default:
        return refused('invalid_argument', 'message_request is not set: ask for one of its kinds');
    }
  }

  #fileNamed(name: string): DescFile | undefined {
    for (const file of this.#registry.files) if (file.proto.name === name) return file;
    return undefined;
  }

  /** Methods, fields, oneofs and enum values are declared where the type around them is. */
  #fileDeclaring(symbol: string): DescFile | undefined {
    const type = this.#registry.get(symbol);
    if (type !== undefined) return type.file;
    const around = this.#registry.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf('.'))));
    const member = symbol.slice(symbol.lastIndexOf('.') + 1);
    switch (around?.kind) {
      case 'service':
        return around.methods.some(({ name }) => name === member) ? around.file : undefined;
      case 'message':
        return [...around.fields, ...around.oneofs].some(({ name }) => name === member) ? around.file : undefined;
      default:
        return undefined;
    }
  }
}

function described(file: DescFile | undefined, wanted: string): Answer {
  if (file === undefined) return refused('not_found', `the contracts have no ${wanted}`);
  const bytes = withImports(file).map(({ proto }) => Buffer.from(toBinary(FileDescriptorProtoSchema, proto)));
  return { $case: 'fileDescriptorResponse', value: { fileDescriptorProto: bytes } };
}

/** The file, then all that it imports, by whatever way. */
function withImports(file: DescFile): DescFile[] {
  const files = new Set([file]);
  for (const each of files) for (const imported of each.dependencies) files.add(imported);
  return [...files];
}

function refused(code: 'not_found' | 'invalid_argument', message: string): Answer {
  return { $case: 'errorResponse', value: { errorCode: statusOf(code), errorMessage: message } };
}
