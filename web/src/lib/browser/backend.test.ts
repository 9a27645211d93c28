import { createServer, type Server } from "node:http";
import { inflateSync } from "node:zlib";
import { unzipSync } from "fflate";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { FilesProgress } from "../backend";
import { obeysTheContract } from "../backend.contract";
import { encodePng, type Pixels } from "../png";
import { BrowserBackend } from "./backend";
import { Engine, type Network } from "./engine";
import type { WebModel } from "./manifest";
import { agrees } from "./probe";
import { refused } from "./refusals";
import { serve, tellFetched, type Line } from "./service";

const COMMON = {
  description: "", origin: "shipped", licence: "none", images_seen: 0, examples: 0, example_files: [], class_names: [],
  channels: 1, hints: false, variations: false, source: null, translating: null, sampling: null,
} as const;
const TRANSLATING: WebModel["translating"] = {
  fit: "stretch", resize: "bilinear", background: [255, 255, 255], colours: [], ignore: -1, enlarge: "lanczos",
  result_colours: [], multiple: 8, sweeps: false, probe: { shape: [1, 1, 8, 8], indices: [0, 3, 60], values: [1, 0.9, -0.2] },
};
const MODELS = [
  {
    ...COMMON, name: "negative", title: "negative", task: "translate", size: 8, hints: true, file: "models/negative.onnx",
    source: { kind: "picture", channels: 1, classes: [] }, translating: TRANSLATING, examples: 1, example_files: ["examples/a.png"],
  },
  {
    ...COMMON, name: "digits", title: "digits", task: "label", size: 2, variations: true, file: "models/digits.onnx",
    class_names: [..."0123456789"], sampling: { latent: 4, uniform: false, value_range: [0, 1] },
  },
] as unknown as WebModel[];
const PNG = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTlFFwAAAABJRU5ErkJggg==",
  "base64",
);

/** Stands in for the browser's decoder: PNG as the page itself writes it, without filters. */
async function decode(file: Blob, name: string): Promise<Pixels> {
  const bytes = Buffer.from(await file.arrayBuffer());
  if (bytes.toString("latin1", 1, 4) !== "PNG") throw refused("unreadable-picture", `${name} cannot be read.`);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  const channels = { 0: 1, 2: 3, 6: 4 }[bytes[25]!]!;
  const rows = inflateSync(bytes.subarray(bytes.indexOf("IDAT") + 4));
  const data = Uint8Array.from({ length: width * height * 4 }, (_, index) => {
    const [pixel, channel] = [index >> 2, index & 3];
    const at = Math.floor(pixel / width) * (width * channels + 1) + 1 + (pixel % width) * channels;
    return channel === 3 && channels < 4 ? 255 : rows[at + (channels === 1 ? 0 : channel)]!;
  });
  return { width, height, channels: 4, data };
}

const ports: MessagePort[] = [];
let opened: string[] = [];
let held: Promise<void> | undefined;
let come = 0;

function holdNetworks(): () => void {
  let release = (): void => undefined;
  held = new Promise((resolve) => (release = resolve));
  return release;
}

/** Draws the negative; from noise, white where the label is and black elsewhere. */
function network({ translating }: WebModel): Network {
  return {
    by: "WASM",
    async run({ data, shape }, labels) {
      await held;
      const [count, , height, width] = shape as [number, number, number, number];
      if (translating) return { data: data.slice(0, height * width).map((value) => -value), shape: [1, 1, height, width] };
      return { data: Float32Array.from({ length: count * 4 }, (_, i) => (labels![i >> 2] === i % 4 ? 1 : 0)), shape: [count, 1, 2, 2] };
    },
  };
}

function start(_base: URL, models: WebModel[]): Line {
  const { port1, port2 } = new MessageChannel();
  const open = async (model: WebModel): Promise<Network> => {
    opened.push(model.name);
    tellFetched(port2 as unknown as Line, 0.5);
    return network(model);
  };
  serve(port2 as unknown as Line, new Engine(models, { decode, open }));
  port2.addEventListener("message", ({ data }: MessageEvent<{ kind: string }>) => void (come += Number(data.kind === "translate")));
  ports.push(port1, port2);
  return port1 as unknown as Line;
}

let server: Server;
let manifest: URL;
let backend: BrowserBackend;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/page/models.json") response.end(JSON.stringify({ format: 1, models: MODELS }));
    else if (request.url === "/page/examples/a.png") response.end(PNG);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  manifest = new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}/page/models.json`);
});
beforeEach(() => {
  opened = [];
  held = undefined;
  backend = new BrowserBackend(manifest, start);
});
afterAll(() => {
  for (const port of ports) port.close();
  server.close();
});

const grey = (size: number, value: number): Promise<Blob> =>
  encodePng({ width: size, height: size, channels: 1, data: new Uint8Array(size * size).fill(value) });

describe("the contract", () => obeysTheContract(() => backend, { hold: holdNetworks, come: () => come }));

test("a drawing goes through the network and comes back in its own size", async () => {
  const { picture } = await backend.translate({ model: "negative", picture: await grey(20, 200), page: "p" });
  const { width, height, data } = await decode(picture, "");
  expect([width, height]).toEqual([20, 20]);
  expect(new Set(data.filter((_, index) => index % 4 < 3))).toEqual(new Set([55]));
});

test("each label is drawn, in the range of the model's values", async () => {
  const row = await backend.sample({ model: "digits", labels: ["0", 3], seed: 1 });
  const pixels = await Promise.all(row.map(async ({ picture }) => (await decode(picture, "")).data.filter((_, i) => i % 4 === 0)));
  expect(pixels.map((values) => [...values])).toEqual([[255, 0, 0, 0], [0, 0, 0, 255]]);
  expect(row.map(({ label }) => label)).toEqual(["0", "3"]);
});

test("an older drawing of the same canvas is superseded, a model is loaded once and its loading told", async () => {
  const told: (number | null)[] = [];
  backend.watchFetching((share) => told.push(share));
  const release = holdNetworks();
  const picture = await grey(8, 0);
  const ask = (): Promise<unknown> => backend.translate({ model: "negative", picture, page: "p" });
  backend.warm("negative");
  const [first, stale, newest] = [ask(), ask(), ask()];
  await expect(stale).rejects.toMatchObject({ kind: "superseded" });
  release();
  await Promise.all([first, newest]);
  expect(opened).toEqual(["negative"]);
  expect(told).toEqual([0.5]);
});

test.each([
  [{ model: "nobody" }, "no model 'nobody'"],
  [{ label: "cat" }, "takes no class"],
  [{ model: "digits" }, "translates no pictures"],
])("what cannot be is refused in words: %o", async (changes, words) => {
  const request = { model: "negative", picture: await grey(8, 0), page: "p", ...changes };
  await expect(backend.translate(request)).rejects.toMatchObject({ kind: "refused", message: expect.stringContaining(words) });
});

test("an unknown class is refused with those that there are", async () => {
  const asked = backend.sample({ model: "digits", labels: ["ten"], seed: 1 });
  await expect(asked).rejects.toMatchObject({ kind: "refused", message: expect.stringContaining("'ten': it knows 0, 1, 2") });
});

test("of one page's samples, too, the newest takes the place of the one that waits", async () => {
  const release = holdNetworks();
  const ask = () => backend.sample({ model: "digits", labels: ["7"], seed: 1, page: "mine" }).catch((error: unknown) => error);
  const [begun, stale, newest] = [ask(), ask(), ask()];
  expect(await stale).toMatchObject({ name: "BackendError", kind: "superseded" });
  release();
  for (const answer of [await begun, await newest]) expect(answer).toHaveLength(1);
});

test("files come back as one archive under names of their own, with what failed", async () => {
  const picture = await grey(4, 0);
  const files = [["a.png", picture], ["a.png", picture], ["b.jpg", picture], ["broken.png", new Blob(["no"])]] as const;
  const told: FilesProgress[] = [];
  const asked = files.map(([name, blob]) => new File([blob], name));
  const archive = await backend.translateFiles("negative", asked, undefined, (now) => told.push(now), new AbortController().signal);
  const results = unzipSync(new Uint8Array(await archive.arrayBuffer()));
  expect(Object.keys(results).sort()).toEqual(["a-2.png", "a.png", "b.jpg.png"]);
  expect((await decode(new Blob([results["a-2.png"] as Uint8Array<ArrayBuffer>]), "")).data[0]).toBe(255);
  expect(told.map(({ done }) => done)).toEqual([1, 2, 3, 4]);
  expect(told.at(-1)!.failed).toMatchObject([{ name: "broken.png", reason: "The picture cannot be read.", code: "unreadable-picture" }]);
});

test("a job that is called off ends at once and gives nothing back", async () => {
  const controller = new AbortController();
  const files = [new File([await grey(4, 0)], "a.png"), new File([await grey(4, 0)], "b.png")];
  const told: FilesProgress[] = [];
  const work = backend.translateFiles("negative", files, undefined, (now) => {
    told.push(now);
    controller.abort();
  }, controller.signal);
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
  expect(told).toHaveLength(1);
});

test("a page without its files says so, and asks again with the next call", async () => {
  const lost = new BrowserBackend(new URL("../elsewhere/models.json", manifest), start);
  for (let call = 0; call < 2; call++) await expect(lost.models()).rejects.toMatchObject({ kind: "unreachable" });
});

test("a runtime that draws otherwise than at the export is known by its probe", async () => {
  // Of index i: (7919 i mod 255) / 127.5 - 1.
  const values = [0, 3, 60].map((index) => ((7919 * index) % 255) / 127.5 - 1);
  const probe = { ...TRANSLATING!.probe, values: values.map((value) => -value) };
  expect(await agrees(network(MODELS[0]!), probe, undefined)).toBe(true);
  expect(await agrees(network(MODELS[0]!), { ...probe, values }, undefined)).toBe(false);
  const broken: Network = { by: "WebGPU", run: async ({ shape }) => ({ data: new Float32Array(64).fill(NaN), shape }) };
  expect(await agrees(broken, probe, undefined)).toBe(false);
});
