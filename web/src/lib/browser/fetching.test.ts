import { createServer, type Server } from "node:http";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Fetching } from "./fetching";

const PLAIN = Buffer.from("\0asm and so on".repeat(100));
let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    const packed = gzipSync(PLAIN);
    if (request.url === "/packed") response.writeHead(200, { "Content-Length": packed.length }).end(packed);
    else if (request.url === "/unpacked-on-its-way") response.writeHead(200, { "Content-Encoding": "gzip" }).end(packed);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => server.close());

test.each(["packed", "unpacked-on-its-way"])("a file that lies there packed is unpacked once: %s", async (path) => {
  const told: (number | null)[] = [];
  const bytes = await new Fetching((share) => told.push(share)).bytes(`${origin}/${path}`);
  expect(Buffer.from(bytes)).toEqual(PLAIN);
  expect(told.at(-1)).toBe(null);
  for (const share of told) if (share !== null) expect(share).toBeLessThanOrEqual(1);
});

test("a file that is not there is told apart from a refusal", async () => {
  await expect(new Fetching(() => undefined).bytes(`${origin}/nowhere`)).rejects.toMatchObject({ kind: "unreachable" });
});
