/** onnxruntime-web: WebAssembly everywhere, WebGPU where the browser has it. */

import type * as Ort from "onnxruntime-web";
import { BackendError, type Runner } from "../backend";
import type { Network, Tensor } from "./engine";
import type { Fetching } from "./fetching";
import type { WebModel } from "./manifest";
import { agrees } from "./probe";
import { Queue } from "./queue";

type Runtime = typeof Ort;

/** Files of the runtime, as the build puts them beside the page; the WebAssembly is packed there. */
interface Flavour {
  script: string;
  loader: string;
  wasm: string;
}

const PLAIN: Flavour = {
  script: "ort.wasm.min.mjs",
  loader: "ort-wasm-simd-threaded.mjs",
  wasm: "ort-wasm-simd-threaded.wasm.gz",
};
/** With WebGPU; of the two that have it, the one that is not slower where it is not used. */
const GPU: Flavour = {
  script: "ort.jspi.min.mjs",
  loader: "ort-wasm-simd-threaded.jspi.mjs",
  wasm: "ort-wasm-simd-threaded.jspi.wasm.gz",
};
const MOST_THREADS = 4;
const PROVIDERS = { WASM: "wasm", WebGPU: "webgpu" } as const;

export class Networks {
  private readonly loaded = new Map<Flavour, Promise<Runtime>>();
  /** Of all sessions: with WebGPU one must not begin while another is at work. */
  private readonly queue = new Queue();

  /** @param base Address of the folder of the page. */
  constructor(
    private readonly base: URL,
    private readonly fetching: Fetching,
  ) {}

  async open(model: WebModel): Promise<Network> {
    // Networks that draw from noise are small: sending their work to a GPU takes longer than doing it. Sweeps are runs of
    // hundreds of small steps, which runtimes do on the processor, fetching each from the GPU.
    const gpu = model.translating?.sweeps === false && (await hasGpu());
    const [bytes, runtime] = await Promise.all([
      this.fetching.bytes(new URL(model.file, this.base)),
      this.runtime(gpu ? GPU : PLAIN),
    ]);
    const on = async (by: Runner): Promise<Network> => {
      // Warnings are not for those who draw.
      const options = { executionProviders: [PROVIDERS[by]], logSeverityLevel: 3 } as const;
      const session = await this.queue.submit(() => runtime.InferenceSession.create(bytes, options));
      return { by, run: (input, labels) => this.queue.submit(() => run(runtime, session, input, labels)) };
    };
    try {
      if (gpu) {
        const fast = await on("WebGPU").catch(() => undefined);
        if (fast && (await isRight(fast, model))) return careful(fast, () => on("WASM"));
      }
      return await on("WASM");
    } catch (error) {
      throw new BackendError("refused", `${model.title} cannot be run in this browser: ${String(error)}`);
    }
  }

  private runtime(flavour: Flavour): Promise<Runtime> {
    let runtime = this.loaded.get(flavour);
    if (runtime === undefined) {
      runtime = this.load(flavour);
      this.loaded.set(flavour, runtime);
      runtime.catch(() => this.loaded.delete(flavour));
    }
    return runtime;
  }

  private async load({ script, loader, wasm }: Flavour): Promise<Runtime> {
    const address = (file: string): string => new URL(`runtime/${RUNTIME_VERSION}/${file}`, this.base).href;
    const [runtime, bytes] = await Promise.all([
      (import(/* @vite-ignore */ address(script)) as Promise<Runtime>).catch((error: unknown) => {
        throw new BackendError("unreachable", String(error));
      }),
      this.fetching.bytes(address(wasm)),
    ]);
    runtime.env.logLevel = "error";
    runtime.env.wasm.wasmPaths = { mjs: address(loader) };
    runtime.env.wasm.wasmBinary = bytes.buffer;
    // Threads share memory, which browsers allow only to pages that say they are apart from all others.
    runtime.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency) : 1;
    return runtime;
  }
}

async function run(
  runtime: Runtime,
  session: Ort.InferenceSession,
  { data, shape }: Tensor,
  labels: number[] | undefined,
): Promise<Tensor> {
  const [name] = session.inputNames as [string];
  const feeds: Record<string, Ort.Tensor> = { [name]: new runtime.Tensor("float32", data, shape) };
  if (labels) feeds["labels"] = new runtime.Tensor("int64", BigInt64Array.from(labels, BigInt), [labels.length]);
  const { pictures } = await session.run(feeds);
  return { data: (await pictures!.getData()) as Float32Array, shape: pictures!.dims };
}

async function isRight(network: Network, { translating, class_names }: WebModel): Promise<boolean> {
  const label = class_names.length > 0 ? 0 : undefined;
  return translating !== null && (await agrees(network, translating.probe, label).catch(() => false));
}

/** One that goes over to another for good when it fails. */
function careful(risky: Network, other: () => Promise<Network>): Network {
  let inUse: Promise<Network> = Promise.resolve(risky);
  let by = risky.by;
  return {
    get by() {
      return by;
    },
    async run(input, labels) {
      try {
        return await (await inUse).run(input, labels);
      } catch (error) {
        if ((await inUse) !== risky) throw error;
        inUse = other();
        by = (await inUse).by;
        return (await inUse).run(input, labels);
      }
    },
  };
}

async function hasGpu(): Promise<boolean> {
  // The runtime's calls to the GPU are suspended functions of WebAssembly.
  if (!("gpu" in navigator) || !("Suspending" in WebAssembly)) return false;
  const gpu = navigator.gpu as { requestAdapter(): Promise<{ info?: { isFallbackAdapter?: boolean } } | null> };
  const adapter = await gpu.requestAdapter().catch(() => null);
  // A fallback adapter is the processor in disguise.
  return adapter !== null && adapter.info?.isFallbackAdapter !== true;
}
