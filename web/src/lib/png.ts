/** Pixels as PNG, exactly: a canvas would blend, and reckon colours anew where there is transparency. */

export interface Pixels {
  width: number;
  height: number;
  /** Grey, RGB or RGBA. */
  channels: 1 | 3 | 4;
  /** Rows from the top, 8 bits a channel. */
  data: Uint8Array;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const COLOUR_TYPES = { 1: 0, 3: 2, 4: 6 } as const;

export async function encodePng({ width, height, channels, data }: Pixels): Promise<Blob> {
  const head = new DataView(new ArrayBuffer(13));
  head.setUint32(0, width);
  head.setUint32(4, height);
  head.setUint8(8, 8);
  head.setUint8(9, COLOUR_TYPES[channels]);
  const stride = width * channels;
  const rows = new Uint8Array((stride + 1) * height); // each row begins with its filter, 0: none
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  const parts = [
    new Uint8Array(SIGNATURE),
    chunk("IHDR", new Uint8Array(head.buffer)),
    chunk("IDAT", await deflated(rows)),
    chunk("IEND", new Uint8Array()),
  ];
  return new Blob(parts, { type: "image/png" });
}

/** Encodes one picture as it changes: while it does not, the file stays the same object. */
export class PngOf {
  private last: { pixels: Pixels; file: Promise<Blob> } | undefined;

  encode(pixels: Pixels): Promise<Blob> {
    if (this.last === undefined || !alike(pixels, this.last.pixels)) this.last = { pixels, file: encodePng(pixels) };
    return this.last.file;
  }
}

function alike(one: Pixels, other: Pixels): boolean {
  if (one.width !== other.width || one.data.length !== other.data.length) return false;
  return one.data.every((value, index) => value === other.data[index]);
}

async function deflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const { readable, writable } = new CompressionStream("deflate");
  // Not by way of a Blob's stream: browsers keep Blobs in another process, to which the bytes would go and come back.
  const writer = writable.getWriter();
  const written = Promise.all([writer.write(bytes), writer.close()]);
  const [packed] = await Promise.all([new Response(readable).arrayBuffer(), written]);
  return new Uint8Array(packed);
}

function chunk(type: string, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(content.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, content.length);
  for (let index = 0; index < 4; index++) bytes[4 + index] = type.charCodeAt(index);
  bytes.set(content, 8);
  view.setUint32(content.length + 8, crc32(bytes.subarray(4, content.length + 8)));
  return bytes;
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, start) => {
  let value = start;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRC_TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}
