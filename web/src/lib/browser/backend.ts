/** The back end that is the browser itself: models beside the page, nothing sent anywhere. */

import {
  BackendError,
  type Backend,
  type FilesProgress,
  type ModelInfo,
  type Sample,
  type SampleRequest,
  type Translation,
  type TranslateRequest,
} from "../backend";
import type { Manifest, WebModel } from "./manifest";
import { Caller, type Line } from "./service";

/** Starts what draws. */
export type Start = (base: URL, models: WebModel[]) => Line;

export class BrowserBackend implements Backend {
  readonly place = "browser";
  private jobs = 0;
  private known: Promise<{ models: WebModel[]; caller: Caller }> | undefined;
  private tell: (share: number | null) => void = () => undefined;

  /** @param manifest Address of the manifest, which says all else. */
  constructor(
    private readonly manifest: URL,
    private readonly start: Start = startWorker,
  ) {}

  async models(): Promise<ModelInfo[]> {
    return (await this.opened()).models;
  }

  async example(model: string, index: number): Promise<Blob> {
    const { models } = await this.opened();
    const file = models.find(({ name }) => name === model)?.example_files[index];
    if (file === undefined) throw new BackendError("refused", `There is no example ${index} for '${model}'.`);
    return (await this.fetched(file)).blob();
  }

  async translate(request: TranslateRequest): Promise<Translation> {
    return (await this.opened()).caller.call("translate", request);
  }

  async sample(request: SampleRequest): Promise<Sample[]> {
    return (await this.opened()).caller.call("sample", request);
  }

  /** Each is drawn among those of the canvases; the results are PNG files. */
  async translateFiles(
    model: string,
    files: File[],
    label: string | undefined,
    onProgress: (progress: FilesProgress) => void,
    signal: AbortSignal,
  ): Promise<Blob> {
    const results: Record<string, Uint8Array> = {};
    const failed: FilesProgress["failed"] = [];
    const page = `files ${this.jobs++}`;
    for (const [index, file] of files.entries()) {
      signal.throwIfAborted();
      try {
        const request = { model, picture: file, page, ...(label === undefined ? {} : { label }) };
        const { picture } = await this.translate(request);
        results[freeName(file.name, results)] = new Uint8Array(await picture.arrayBuffer());
      } catch (error) {
        if (!(error instanceof BackendError) || error.kind !== "refused") throw error;
        failed.push({ name: file.name, reason: error.message, ...error.reason });
      }
      onProgress({ done: index + 1, total: files.length, failed: [...failed] });
    }
    signal.throwIfAborted();
    const { zipSync } = await import("fflate");
    // Pictures are packed already.
    return new Blob([zipSync(results, { level: 0 }) as Uint8Array<ArrayBuffer>], { type: "application/zip" });
  }

  warm(model: string): void {
    // What goes wrong is told to who draws with it.
    void this.opened().then(({ caller }) => caller.call("warm", model)).catch(() => undefined);
  }

  watchFetching(tell: (share: number | null) => void): void {
    this.tell = tell;
  }

  private opened(): Promise<{ models: WebModel[]; caller: Caller }> {
    this.known ??= this.open();
    // Asked for again with the next call, where the network failed.
    this.known.catch(() => (this.known = undefined));
    return this.known;
  }

  private async open(): Promise<{ models: WebModel[]; caller: Caller }> {
    const { models } = (await (await this.fetched(this.manifest)).json()) as Manifest;
    const caller = new Caller(this.start(new URL(".", this.manifest), models));
    caller.onfetched = (share) => this.tell(share);
    return { models, caller };
  }

  private async fetched(address: string | URL): Promise<Response> {
    try {
      const response = await fetch(new URL(address, this.manifest));
      if (response.ok) return response;
      throw new Error(`${response.status} for ${String(address)}`);
    } catch (error) {
      throw new BackendError("unreachable", String(error));
    }
  }
}

function startWorker(base: URL, models: WebModel[]): Line {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.postMessage({ base: base.href, models });
  return worker;
}

/** `a.png` stays, `a.jpg` becomes `a.jpg.png`; of two with one name the second has a number. */
function freeName(name: string, taken: Record<string, unknown>): string {
  const own = /\.png$/i.test(name) ? name : `${name}.png`;
  let free = own;
  for (let number = 2; free in taken; number++) free = own.replace(/\.png$/i, `-${number}$&`);
  return free;
}
