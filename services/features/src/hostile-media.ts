import { encodeTestMedia, MEDIA_FORMS } from '@faultline/media/testing';

/** A file that somebody might send: broken by a seeded generator, or odd by design. */
export interface HostileFile {
  readonly name: string;
  readonly bytes: Buffer;
}

type Draw = (below: number) => number;

/** mulberry32 (Tommy Ettinger, public domain): integers from 0 to below - 1. */
function seeded(seed: number): Draw {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const HEADER_BYTES = 1024;
const EXTREME_NUMBERS = [0, 1, 0x7f, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** Ways to break a file; each gets a good one and another good one. */
const DAMAGES: Readonly<Record<string, (file: Buffer, other: Buffer, draw: Draw) => Buffer>> = {
  'some bytes changed': (file, _other, draw) => {
    const changes = 1 + draw(200);
    for (let change = 0; change < changes; change++) file[draw(file.length)] = draw(256);
    return file;
  },
  'one header number extreme': (file, _other, draw) => {
    file.writeUInt32BE(
      EXTREME_NUMBERS[draw(EXTREME_NUMBERS.length)] ?? 0,
      draw(Math.min(HEADER_BYTES, file.length - 4)),
    );
    return file;
  },
  'many header numbers extreme': (file, _other, draw) => {
    for (let change = 0; change < 20; change++) {
      const value = EXTREME_NUMBERS[draw(EXTREME_NUMBERS.length)] ?? 0;
      file.writeUInt32LE(value, draw(Math.min(HEADER_BYTES, file.length - 4)));
    }
    return file;
  },
  'cut off': (file, _other, draw) => file.subarray(0, 1 + draw(file.length - 1)),
  'beginning lost': (file, _other, draw) => file.subarray(1 + draw(Math.min(HEADER_BYTES, file.length - 1))),
  'a hole of zeros': (file, _other, draw) => file.fill(0, draw(file.length), draw(file.length)),
  'end of another file': (file, other, draw) =>
    Buffer.concat([file.subarray(0, draw(file.length)), other.subarray(draw(other.length))]),
  'a part repeated': (file, _other, draw) => {
    const part = file.subarray(0, 1 + draw(file.length - 1));
    return Buffer.concat([part, part, file]);
  },
  'two files in one': (file, other) => Buffer.concat([file, other]),
};

/**
 * `count` files, always the same for a seed: the odd ones first, then good files of every form in turn, each damaged.
 */
export async function hostileMedia(count: number, seed: number): Promise<HostileFile[]> {
  const forms = Object.entries(MEDIA_FORMS);
  const good = await Promise.all(
    forms.map(async ([name, form]) => ({ name, bytes: Buffer.from(await encodeTestMedia(form, { seconds: 1 })) })),
  );
  const draw = seeded(seed);
  const files = oddFiles(good[0]?.bytes ?? Buffer.alloc(0), draw);
  const damages = Object.entries(DAMAGES);
  for (let index = 0; files.length < count; index++) {
    const [damage, apply] = damages[index % damages.length] ?? [];
    // The lengths share no factor, so every form meets every damage.
    const file = good[index % good.length];
    const other = good[draw(good.length)];
    if (damage === undefined || apply === undefined || !file || !other) throw new Error('nothing to damage');
    files.push({ name: `${index}: ${file.name}, ${damage}`, bytes: apply(Buffer.from(file.bytes), other.bytes, draw) });
  }
  return files.slice(0, count);
}

const text = (name: string, content: string): HostileFile => ({ name, bytes: Buffer.from(content) });

function oddFiles(mp4: Buffer, draw: Draw): HostileFile[] {
  const random = Buffer.from(Uint8Array.from({ length: 100_000 }, () => draw(256)));
  return [
    { name: 'one byte', bytes: Buffer.from([0]) },
    { name: 'a megabyte of zeros', bytes: Buffer.alloc(1024 * 1024) },
    { name: 'random bytes', bytes: random },
    { name: 'random bytes behind the beginning of an mp4 file', bytes: Buffer.concat([mp4.subarray(0, 40), random]) },
    text('a playlist that names a file', '#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n'),
    text('a playlist that names an address', '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n'),
    text('a list of files', "ffconcat version 1.0\nfile '/etc/passwd'\n"),
    text('a session description', 'v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n'),
    text('a DASH manifest', '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period/></MPD>'),
    text('a web page', '<!doctype html><html><body>404</body></html>'),
    text('JSON', '{"media": null}'),
    text('subtitles', '1\n00:00:00,000 --> 00:00:01,000\nhello\n'),
    {
      name: 'a PNG beginning',
      bytes: Buffer.from('89504e470d0a1a0a0000000d49484452ffffffffffffffff0806000000', 'hex'),
    },
    {
      name: 'a GIF of 65535 x 65535',
      bytes: Buffer.from('474946383961ffffffff8000000000000000002c00000000ffffffff0002', 'hex'),
    },
    { name: 'a zip file', bytes: Buffer.from('504b0304140000000800', 'hex') },
    wav('wav without channels', { channels: 0 }),
    wav('wav with 65535 channels', { channels: 65_535 }),
    wav('wav at 0 Hz', { sampleRateHz: 0 }),
    wav('wav at 4 GHz', { sampleRateHz: 0xffffffff }),
    wav('wav that says it holds 4 GiB', { dataBytes: 0xffffffff }),
    wav('wav that says it holds nothing', { dataBytes: 0 }),
    wav('wav with samples of 3 bits', { bits: 3 }),
    wav('wav in an unknown coding', { coding: 0xeeee }),
    { name: 'mp4 with pictures of 65535 x 65535', bytes: patched(mp4, 'avc1', 28, 'ffffffff') },
    { name: 'mp4 with a time scale of 0', bytes: patched(mp4, 'mdhd', 16, '00000000') },
    { name: 'mp4 with four billion samples', bytes: patched(mp4, 'stsz', 12, 'ffffffff') },
    { name: 'mp4 with boxes in boxes', bytes: nestedBoxes(2000) },
    {
      name: 'an ID3 tag of 256 MiB',
      bytes: Buffer.concat([Buffer.from('494433040000 7f7f7f7f'.replace(' ', ''), 'hex'), random]),
    },
    { name: 'Matroska of unknown size', bytes: Buffer.from('1a45dfa301ffffffffffffff1853806701ffffffffffffff', 'hex') },
  ];
}

interface WavHeader {
  readonly coding?: number;
  readonly channels?: number;
  readonly sampleRateHz?: number;
  readonly bits?: number;
  readonly dataBytes?: number;
}

function wav(name: string, header: WavHeader): HostileFile {
  const { coding = 1, channels = 1, sampleRateHz = 16_000, bits = 16, dataBytes = 8000 } = header;
  const bytes = Buffer.alloc(44 + 8000, 7);
  bytes.write('RIFF', 0, 'latin1');
  bytes.writeUInt32LE(36 + 8000, 4);
  bytes.write('WAVEfmt ', 8, 'latin1');
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(coding, 20);
  bytes.writeUInt16LE(channels, 22);
  bytes.writeUInt32LE(sampleRateHz, 24);
  bytes.writeUInt32LE((sampleRateHz * channels * 2) >>> 0, 28);
  bytes.writeUInt16LE((channels * 2) & 0xffff, 32);
  bytes.writeUInt16LE(bits, 34);
  bytes.write('data', 36, 'latin1');
  bytes.writeUInt32LE(dataBytes, 40);
  return { name, bytes };
}

/** A copy with bytes written behind a box's type. */
function patched(file: Buffer, box: string, offset: number, hexadecimal: string): Buffer {
  const bytes = Buffer.from(file);
  Buffer.from(hexadecimal, 'hex').copy(bytes, bytes.indexOf(box, 0, 'latin1') + offset);
  return bytes;
}

function nestedBoxes(depth: number): Buffer {
  const beginning = Buffer.from('00000010667479706d70343200000000', 'hex');
  const boxes = Array.from({ length: depth }, (_, level) => {
    const header = Buffer.from('00000000moov', 'latin1').subarray(4, 12);
    header.writeUInt32BE((depth - level) * 8);
    header.write(level === 0 ? 'moov' : 'trak', 4, 'latin1');
    return Buffer.from(header);
  });
  return Buffer.concat([beginning, ...boxes]);
}
