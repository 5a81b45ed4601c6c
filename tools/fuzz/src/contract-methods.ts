import { createFileRegistry, type DescMethod, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { readDescriptorSet } from '@faultline/contracts';

/** Path of a method on the wire. */
export const pathOf = (method: DescMethod): string => `/${method.parent.typeName}/${method.name}`;

/** Every method of every contract, by the name of its service: those of the project, health and reflection. */
export function contractMethods(): ReadonlyMap<string, readonly DescMethod[]> {
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readDescriptorSet()));
  const services = [...registry].filter((type) => type.kind === 'service');
  return new Map(services.map((service) => [service.typeName, service.methods]));
}
