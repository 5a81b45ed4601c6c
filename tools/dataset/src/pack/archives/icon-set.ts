interface Icon {
  readonly body: string;
  readonly width?: number;
  readonly height?: number;
}

/** What this reads of Iconify's JSON. Source: iconify.design/docs/types/iconify-json.html. */
interface IconSet {
  readonly icons: Readonly<Record<string, Icon>>;
  readonly aliases?: Readonly<Record<string, { readonly parent: string }>>;
  readonly width?: number;
  readonly height?: number;
}

const DEFAULT_SIDE = 16;

/** An icon of an Iconify set as an SVG file. @throws Error when the set has no such icon. */
export function readIcon(json: Buffer, name: string): Buffer {
  const set: IconSet = JSON.parse(String(json));
  const icon = set.icons[name] ?? set.icons[set.aliases?.[name]?.parent ?? ''];
  if (icon === undefined) throw new Error(`the icon set has no "${name}"`);
  const width = icon.width ?? set.width ?? DEFAULT_SIDE;
  const height = icon.height ?? set.height ?? DEFAULT_SIDE;
  return Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${icon.body}</svg>`,
  );
}
