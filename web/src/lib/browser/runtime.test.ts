import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { Translation } from "../backend";
import { Engine } from "./engine";
import type { Fetching } from "./fetching";
import type { WebModel } from "./manifest";
import { Networks } from "./runtime";

/** In the place of onnxruntime-web: sessions are made as the test says. */
const RUNTIME = `
export const env = { wasm: {} };
export class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
  getData() { return Promise.resolve(this.data); }
}
export const InferenceSession = {
  async create(bytes, { executionProviders: [provider] }) {
    return { inputNames: ["source"], run: await globalThis.makeSession(provider, Tensor) };
  },
};`;
const MODEL = {
  name: "negative", title: "negative", task: "translate", size: 8, hints: false, class_names: [], file: "models/a.onnx",
  source: { kind: "picture", channels: 1, classes: [] }, sampling: null,
  translating: {
    fit: "stretch", resize: "bilinear", background: [255, 255, 255], colours: [], ignore: -1, enlarge: "lanczos",
    result_colours: [], multiple: 8, sweeps: false,
    // What the negative of index i is: 1 - (7919 i mod 255) / 127.5.
    probe: { shape: [1, 1, 8, 8], indices: [0, 1, 60], values: [0, 1, 60].map((i) => 1 - ((7919 * i) % 255) / 127.5) },
  },
} as unknown as WebModel;

type Feeds = { source: { data: Float32Array; dims: number[] } };
type Run = (feeds: Feeds) => Promise<{ pictures: unknown }>;
interface Behaviour {
  /** Of a session by WebGPU: called before each of its runs, and before it is made with `undefined`. */
  fails?: (run: number | undefined) => void;
  /** What it adds to each value. */
  off?: number;
}

let folder: string;
let made: string[];
let fetched: string[];
let gpu: Behaviour;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "runtime-"));
  mkdirSync(join(folder, "runtime", RUNTIME_VERSION), { recursive: true });
  for (const kind of ["wasm", "jspi"]) writeFileSync(join(folder, "runtime", RUNTIME_VERSION, `ort.${kind}.min.mjs`), RUNTIME);
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  [made, fetched, gpu] = [[], [], {}];
  vi.stubGlobal("self", { crossOriginIsolated: false });
  suspending(true);
  vi.stubGlobal("makeSession", (provider: string, Tensor: new (...parts: unknown[]) => unknown): Run => {
    made.push(provider);
    const { fails = () => undefined, off = 0 } = provider === "webgpu" ? gpu : {};
    fails(undefined);
    let runs = 0;
    return async ({ source: { data, dims } }) => {
      fails(runs++);
      return { pictures: new Tensor("float32", data.map((value) => off - value), dims) };
    };
  });
});
afterEach(() => void vi.unstubAllGlobals());

/** Whether the browser can suspend WebAssembly; the rest of it is Node's. */
function suspending(can: boolean): void {
  const { compile, instantiate, Module, Instance } = WebAssembly;
  vi.stubGlobal("WebAssembly", { compile, instantiate, Module, Instance, ...(can ? { Suspending: class {} } : {}) });
}

/** An engine in a browser whose `navigator.gpu` gives this adapter. */
function engine(requestAdapter?: () => Promise<unknown>, model = MODEL): Engine {
  vi.stubGlobal("navigator", requestAdapter ? { gpu: { requestAdapter } } : {});
  const fetching = { bytes: async (address: URL | string) => (fetched.push(String(address)), new Uint8Array(1)) };
  const networks = new Networks(pathToFileURL(`${folder}/`), fetching as unknown as Fetching);
  const white = { width: 8, height: 8, channels: 4 as const, data: new Uint8Array(8 * 8 * 4).fill(255) };
  return new Engine([model], { decode: async () => white, open: (model) => networks.open(model) });
}

const draw = (by: Engine): Promise<Translation> => by.translate({ model: "negative", picture: new Blob() });
const hardware = async (): Promise<unknown> => ({ info: { isFallbackAdapter: false } });
const loaded = (): string[] => fetched.filter((address) => address.endsWith(".gz")).map((address) => address.split("/").at(-1)!);

test("where there is an adapter, WebGPU draws and is told", async () => {
  const own = engine(hardware);
  expect((await draw(own)).by).toBe("WebGPU");
  expect((await draw(own)).by).toBe("WebGPU");
  expect(made).toEqual(["webgpu"]);
  expect(loaded()).toEqual(["ort-wasm-simd-threaded.jspi.wasm.gz"]);
});

test("what ends in sweeps is drawn by WebAssembly wherever it is", async () => {
  const sweeping = { ...MODEL, translating: { ...MODEL.translating!, sweeps: true } };
  expect((await draw(engine(hardware, sweeping))).by).toBe("WASM");
  expect(made).toEqual(["wasm"]);
});

test.each([
  ["has no WebGPU", undefined],
  ["has no adapter", async () => null],
  ["fails to give one", async () => Promise.reject(new Error("lost"))],
  ["has a processor in disguise", async () => ({ info: { isFallbackAdapter: true } })],
])("a browser that %s draws by WebAssembly, and never fetches the larger runtime", async (_, adapter) => {
  expect((await draw(engine(adapter))).by).toBe("WASM");
  expect(made).toEqual(["wasm"]);
  expect(loaded()).toEqual(["ort-wasm-simd-threaded.wasm.gz"]);
});

test("a browser that cannot suspend WebAssembly is not asked for an adapter", async () => {
  suspending(false);
  const adapter = vi.fn(hardware);
  expect((await draw(engine(adapter))).by).toBe("WASM");
  expect(adapter).not.toHaveBeenCalled();
});

test.each<[string, Behaviour]>([
  ["cannot be started", { fails: () => { throw new Error("no device"); } }],
  ["fails at the probe", { fails: (run) => { if (run === 0) throw new Error("lost"); } }],
  ["draws something else", { off: 0.1 }],
  ["draws no numbers", { off: NaN }],
])("WebGPU that %s gives way to WebAssembly before anything is shown", async (_, behaviour) => {
  gpu = behaviour;
  const { by, picture } = await draw(engine(hardware));
  expect(by).toBe("WASM");
  expect(picture.size).toBeGreaterThan(0);
  expect(made).toEqual(["webgpu", "wasm"]);
});

test("WebGPU that fails later gives way for good, and the drawing is answered all the same", async () => {
  // After the probe and one drawing.
  gpu = { fails: (run) => { if (run === 2) throw new Error("device lost"); } };
  const own = engine(hardware);
  const found = [];
  for (let drawing = 0; drawing < 3; drawing++) found.push((await draw(own)).by);
  expect(found).toEqual(["WebGPU", "WASM", "WASM"]);
  expect(made).toEqual(["webgpu", "wasm"]);
});

test("where neither runs, the reason is told", async () => {
  vi.stubGlobal("makeSession", () => { throw new Error("out of memory"); });
  await expect(draw(engine(hardware))).rejects.toMatchObject({
    kind: "refused",
    message: expect.stringMatching(/^negative cannot be run in this browser: .*out of memory/),
  });
});

test("a network that draws from noise is too small for the way to a GPU", async () => {
  const adapter = vi.fn(hardware);
  vi.stubGlobal("navigator", { gpu: { requestAdapter: adapter } });
  const fetching = { bytes: async () => new Uint8Array(1) } as unknown as Fetching;
  const network = await new Networks(pathToFileURL(`${folder}/`), fetching).open({ ...MODEL, translating: null });
  expect(network.by).toBe("WASM");
  expect(adapter).not.toHaveBeenCalled();
});
