import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { encodePng } from "./png";

interface Chunk {
  type: string;
  content: Buffer;
  crc: number;
}

async function chunksOf(blob: Blob): Promise<{ signature: string; chunks: Chunk[] }> {
  const bytes = Buffer.from(await blob.arrayBuffer());
  const chunks: Chunk[] = [];
  for (let at = 8; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const content = bytes.subarray(at + 8, at + 8 + length);
    chunks.push({ type: bytes.toString("latin1", at + 4, at + 8), content, crc: bytes.readUInt32BE(at + 8 + length) });
    at += length + 12;
  }
  return { signature: bytes.toString("latin1", 0, 8), chunks };
}

test("the file is as the specification says: signature, header, rows behind a filter byte, end", async () => {
  const data = Uint8Array.from([255, 0, 0, 255, 1, 2, 3, 0]);
  const { signature, chunks } = await chunksOf(await encodePng({ width: 1, height: 2, channels: 4, data }));
  expect(signature).toBe("\x89PNG\r\n\x1a\n");
  expect(chunks.map(({ type }) => type)).toEqual(["IHDR", "IDAT", "IEND"]);
  expect([...chunks[0]!.content]).toEqual([0, 0, 0, 1, 0, 0, 0, 2, 8, 6, 0, 0, 0]);
  expect([...inflateSync(chunks[1]!.content)]).toEqual([0, 255, 0, 0, 255, 0, 1, 2, 3, 0]);
  // The specification's own example: an empty IEND chunk has this sum.
  expect(chunks[2]!.crc).toBe(0xae426082);
});

test.each([
  [1, 0],
  [3, 2],
] as const)("%i channels are colour type %i", async (channels, type) => {
  const data = new Uint8Array(2 * 3 * channels).fill(7);
  const { chunks } = await chunksOf(await encodePng({ width: 2, height: 3, channels, data }));
  expect(chunks[0]!.content[9]).toBe(type);
  expect(inflateSync(chunks[1]!.content)).toHaveLength((2 * channels + 1) * 3);
});
