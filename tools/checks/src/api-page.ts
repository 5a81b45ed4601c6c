import type { DescEnum, DescField, DescFile, DescMessage, DescMethod, DescService } from '@bufbuild/protobuf';
import { createFileRegistry, ScalarType } from '@bufbuild/protobuf';
import type { FileDescriptorSet } from '@bufbuild/protobuf/wkt';

/** Field numbers inside descriptor.proto, of which the paths of source locations consist. */
const PATH = {
  package: 2,
  message: 4,
  enum: 5,
  service: 6,
  method: 2,
  field: 2,
  nestedMessage: 3,
  nestedEnum: 4,
  enumValue: 2,
} as const;

const SCALAR_NAMES = new Map(Object.entries(ScalarType).map(([name, value]) => [value, name.toLowerCase()]));

type CommentOf = (...path: readonly number[]) => string;

/**
 * The reference page of a set of contracts, in Markdown: packages in the order given, each with its services, messages and
 * enums in the order of the file.
 *
 * @param set what `buf build --as-file-descriptor-set` writes, with source information
 * @param packages names of the packages to show
 */
export function apiPage(set: FileDescriptorSet, packages: readonly string[]): string {
  const files = [...createFileRegistry(set).files];
  const shown = packages.flatMap((name) => files.filter(({ proto }) => proto.package === name));
  const contents = shown.flatMap((file) => [
    `- [${file.proto.package}](#${anchor(file.proto.package)})`,
    ...file.services.flatMap(({ name, typeName, methods }) =>
      methods.map((method) => `  - [${name}.${method.name}](#${anchor(`${typeName}.${method.name}`)})`),
    ),
  ]);
  return [
    '# API',
    'The contracts of all services, as `proto/` has them. Written by `npm run format`; `npm run contracts` checks that it is current.',
    contents.join('\n'),
    ...shown.flatMap((file) => packageSection(file)),
  ]
    .join('\n\n')
    .concat('\n');
}

function packageSection(file: DescFile): string[] {
  const comment = commentsOf(file);
  return [
    heading(2, file.proto.package, file.proto.package),
    comment(PATH.package),
    ...file.services.flatMap((service, at) => serviceSection(service, at, comment)),
    ...file.messages.flatMap((message, at) => messageSection(message, [PATH.message, at], comment)),
    ...file.enums.flatMap((type, at) => enumSection(type, [PATH.enum, at], comment)),
  ];
}

function serviceSection(service: DescService, at: number, comment: CommentOf): string[] {
  const methods = service.methods.flatMap((method, index) => [
    heading(4, `${service.name}.${method.name}`, `${service.typeName}.${method.name}`),
    signature(method),
    comment(PATH.service, at, PATH.method, index),
  ]);
  return [heading(3, service.name, service.typeName), comment(PATH.service, at), ...methods];
}

function signature({ input, output, methodKind }: DescMethod): string {
  const streamsIn = methodKind === 'client_streaming' || methodKind === 'bidi_streaming';
  const streamsOut = methodKind === 'server_streaming' || methodKind === 'bidi_streaming';
  const side = (type: DescMessage, stream: boolean) => `${stream ? 'stream of ' : ''}${link(type)}`;
  return `${side(input, streamsIn)} → ${side(output, streamsOut)}`;
}

function messageSection(message: DescMessage, path: readonly number[], comment: CommentOf): string[] {
  const rows = message.fields.map((field, at) => {
    const choice = field.oneof === undefined ? '' : `_one of \`${field.oneof.name}\`_ · `;
    return row(`\`${field.name}\``, typeOf(field), String(field.number), choice + comment(...path, PATH.field, at));
  });
  return [
    heading(4, localName(message), message.typeName),
    comment(...path),
    ...(rows.length === 0
      ? []
      : [[row('field', 'type', 'number', 'meaning'), row('---', '---', '---', '---'), ...rows].join('\n')]),
    ...message.nestedMessages.flatMap((nested, at) =>
      messageSection(nested, [...path, PATH.nestedMessage, at], comment),
    ),
    ...message.nestedEnums.flatMap((nested, at) => enumSection(nested, [...path, PATH.nestedEnum, at], comment)),
  ];
}

function enumSection(type: DescEnum, path: readonly number[], comment: CommentOf): string[] {
  const rows = type.values.map((value, at) =>
    row(`\`${value.name}\``, String(value.number), comment(...path, PATH.enumValue, at)),
  );
  return [
    heading(4, localName(type), type.typeName),
    comment(...path),
    [row('value', 'number', 'meaning'), row('---', '---', '---'), ...rows].join('\n'),
  ];
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case 'message':
      return link(field.message);
    case 'enum':
      return link(field.enum);
    case 'scalar':
      return scalarName(field.scalar);
    case 'map':
      return `map of ${scalarName(field.mapKey)} to ${
        field.mapKind === 'scalar'
          ? scalarName(field.scalar)
          : link(field.mapKind === 'enum' ? field.enum : field.message)
      }`;
    case 'list':
      return `repeated ${
        field.listKind === 'scalar'
          ? scalarName(field.scalar)
          : link(field.listKind === 'enum' ? field.enum : field.message)
      }`;
  }
}

function scalarName(type: ScalarType): string {
  return SCALAR_NAMES.get(type) ?? String(type);
}

/** Types of other makers (google.protobuf.Timestamp) are named, not linked. */
function link(type: DescMessage | DescEnum): string {
  const name = localName(type);
  return type.file.proto.package.startsWith('google.') ? type.typeName : `[${name}](#${anchor(type.typeName)})`;
}

/** Name inside the package, `HealthCheckResponse.ServingStatus`. */
function localName({ typeName, file }: DescMessage | DescEnum): string {
  return typeName.slice(file.proto.package.length + 1);
}

function heading(level: number, text: string, id: string): string {
  return `<a id="${anchor(id)}"></a>\n\n${'#'.repeat(level)} ${text}`;
}

function anchor(name: string): string {
  return name.replaceAll('.', '-').toLowerCase();
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map((cell) => cell.replaceAll('\n', ' ').replaceAll('|', '\\|')).join(' | ')} |`;
}

/** Comments by path; a line break inside one is kept, the indentation of the comment sign is not. */
function commentsOf(file: DescFile): CommentOf {
  const byPath = new Map(
    (file.proto.sourceCodeInfo?.location ?? []).map(({ path, leadingComments }) => [path.join('.'), leadingComments]),
  );
  return (...path) => {
    const lines = (byPath.get(path.join('.')) ?? '').trimEnd().split('\n');
    return lines.map((line) => line.replace(/^ /, '')).join('\n');
  };
}
