import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import type { FieldViolation } from './errors.ts';

// google.rpc.Status, google.protobuf.Any and google.rpc.BadRequest (googleapis, google/rpc/status.proto and
// error_details.proto), written by hand: three messages of two or three fields do not earn a generated package.
const BAD_REQUEST_TYPE_URL = 'type.googleapis.com/google.rpc.BadRequest';

/** One length-delimited or string field: its number, and the wire tag that announces it. */
const tagOf = (field: number, wireType: 0 | 2): number => (field << 3) | wireType;
const VARINT = 0;
const LENGTH_DELIMITED = 2;

/** A google.rpc.Status with the violations as its only detail, as the `grpc-status-details-bin` trailer carries it. */
export function encodeStatusDetails(code: number, message: string, violations: readonly FieldViolation[]): Buffer {
  const badRequest = new BinaryWriter();
  for (const { field, description } of violations) {
    badRequest.uint32(tagOf(1, LENGTH_DELIMITED)).fork();
    badRequest.uint32(tagOf(1, LENGTH_DELIMITED)).string(field);
    badRequest.uint32(tagOf(2, LENGTH_DELIMITED)).string(description).join();
  }
  const status = new BinaryWriter();
  status.uint32(tagOf(1, VARINT)).int32(code);
  status.uint32(tagOf(2, LENGTH_DELIMITED)).string(message);
  status.uint32(tagOf(3, LENGTH_DELIMITED)).fork();
  status.uint32(tagOf(1, LENGTH_DELIMITED)).string(BAD_REQUEST_TYPE_URL);
  status.uint32(tagOf(2, LENGTH_DELIMITED)).bytes(badRequest.finish()).join();
  return Buffer.from(status.finish());
}

/**
 * The field violations in a `grpc-status-details-bin` trailer; other details are passed over.
 * @throws Error when the bytes are not a protobuf message.
 */
export function decodeViolations(bytes: Uint8Array): FieldViolation[] {
  return fieldsOf(bytes)
    .filter(({ tag }) => tag === tagOf(3, LENGTH_DELIMITED))
    .map(({ value }) => fieldsOf(value))
    .filter((any) => textAt(any, 1) === BAD_REQUEST_TYPE_URL)
    .flatMap((any) => fieldsOf(bytesAt(any, 2)))
    .filter(({ tag }) => tag === tagOf(1, LENGTH_DELIMITED))
    .map(({ value }) => fieldsOf(value))
    .map((violation) => ({ field: textAt(violation, 1), description: textAt(violation, 2) }));
}

interface WireField {
  readonly tag: number;
  readonly value: Uint8Array;
}

function fieldsOf(bytes: Uint8Array): WireField[] {
  const reader = new BinaryReader(bytes);
  const fields: WireField[] = [];
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === LENGTH_DELIMITED) fields.push({ tag: tagOf(number, LENGTH_DELIMITED), value: reader.bytes() });
    else reader.skip(wireType, number);
  }
  return fields;
}

function bytesAt(fields: readonly WireField[], number: number): Uint8Array {
  return fields.find(({ tag }) => tag === tagOf(number, LENGTH_DELIMITED))?.value ?? new Uint8Array();
}

function textAt(fields: readonly WireField[], number: number): string {
  return new TextDecoder().decode(bytesAt(fields, number));
}
