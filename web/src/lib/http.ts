/** The back end that is a server: `ganvas studio`. */

import type {
  Backend,
  FilesProgress,
  ModelInfo,
  NewRun,
  Reason,
  RecipeForm,
  RecipeName,
  RunDetail,
  RunEvents,
  RunInfo,
  Sample,
  SampleRequest,
  Training,
  TranslateRequest,
  Translation,
  Watch,
} from "./backend";
import { BackendError } from "./backend";
import { finished, watchRun } from "./listening";

interface Problem extends Partial<Reason> {
  type?: string;
  title?: string;
  detail?: string;
}

export class HttpBackend implements Backend {
  readonly place = "server";
  readonly training: Training;

  /** @param origin Address of the server; empty for where the page came from. */
  constructor(private readonly origin = "") {
    this.training = new HttpTraining(origin);
  }

  async models(): Promise<ModelInfo[]> {
    return json<ModelInfo[]>(`${this.origin}/api/models`);
  }

  async example(model: string, index: number): Promise<Blob> {
    return (await ask(`${this.origin}/api/models/${encodeURIComponent(model)}/examples/${index}.png`)).blob();
  }

  async translate(request: TranslateRequest): Promise<Translation> {
    const form = new FormData();
    form.set("picture", request.picture, "picture.png");
    if (request.hints) form.set("hints", request.hints, "hints.png");
    if (request.label !== undefined) form.set("label", request.label);
    if (request.variation !== undefined) form.set("variation", String(request.variation));
    form.set("page", request.page);
    const address = `${this.origin}/api/models/${encodeURIComponent(request.model)}/translate`;
    const response = await ask(address, { method: "POST", body: form });
    return {
      picture: await response.blob(),
      milliseconds: Number(response.headers.get("X-Ganvas-Milliseconds") ?? "0"),
    };
  }

  warm(model: string): void {
    // Whoever draws with it tells what is wrong with it.
    const address = `${this.origin}/api/models/${encodeURIComponent(model)}/warm`;
    void fetch(address, { method: "POST" }).catch(() => undefined);
  }

  async sample({ model, ...body }: SampleRequest): Promise<Sample[]> {
    const address = `${this.origin}/api/models/${encodeURIComponent(model)}/sample`;
    const answer = await json<{ pictures: { label: string; png: string }[] }>(address, post(body));
    return answer.pictures.map(({ label, png }) => ({ label, picture: fromBase64(png) }));
  }

  async translateFiles(
    model: string,
    files: File[],
    label: string | undefined,
    onProgress: (progress: FilesProgress) => void,
    signal: AbortSignal,
  ): Promise<Blob> {
    const form = new FormData();
    for (const file of files) form.append("files", file, file.name);
    if (label !== undefined) form.set("label", label);
    const address = `${this.origin}/api/models/${encodeURIComponent(model)}/files`;
    const { id } = await json<{ id: string }>(address, { method: "POST", body: form, signal });
    const job = `${this.origin}/api/jobs/${encodeURIComponent(id)}`;
    try {
      await finished(job, () => json(job, { signal }), onProgress, signal);
      return await (await ask(`${job}/result.zip`, { signal })).blob();
    } finally {
      // The server need not keep what is here now, or no longer wanted.
      void fetch(job, { method: "DELETE" }).catch(() => undefined);
    }
  }
}

class HttpTraining implements Training {
  constructor(private readonly origin: string) {}

  recipes(): Promise<RecipeName[]> {
    return json(`${this.origin}/api/recipes`);
  }

  recipe(name: string): Promise<RecipeForm> {
    return json(`${this.origin}/api/recipes/${encodeURIComponent(name)}`);
  }

  runs(): Promise<RunInfo[]> {
    return json(`${this.origin}/api/runs`);
  }

  run(name: string): Promise<RunDetail> {
    return json(this.address(name));
  }

  start(run: NewRun): Promise<RunInfo> {
    return json(`${this.origin}/api/runs`, post(run));
  }

  stop(name: string): Promise<RunInfo> {
    return json(`${this.address(name)}/stop`, { method: "POST" });
  }

  resume(name: string): Promise<RunInfo> {
    return json(`${this.address(name)}/resume`, { method: "POST" });
  }

  async samples(name: string, images: number): Promise<Blob> {
    return (await ask(`${this.address(name)}/samples/${images}.png`)).blob();
  }

  watch(name: string, events: RunEvents): Watch {
    return watchRun(this.address(name), () => this.run(name), events);
  }

  private address(name: string): string {
    return `${this.origin}/api/runs/${encodeURIComponent(name)}`;
  }
}

async function ask(address: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, init);
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    throw new BackendError("unreachable", String(error));
  }
  if (response.ok) return response;
  const problem = (await response.json().catch(() => ({}))) as Problem;
  const message = problem.detail ?? problem.title ?? `${response.status} ${response.statusText}`;
  if (response.status === 409 && (problem.type ?? "").includes("superseded")) {
    throw new BackendError("superseded", message, 1, problem);
  }
  if (response.status === 503) {
    throw new BackendError("busy", message, Number(response.headers.get("Retry-After") ?? "1") || 1, problem);
  }
  throw new BackendError("refused", message, 1, problem);
}

async function json<T>(address: string, init?: RequestInit): Promise<T> {
  return (await (await ask(address, init)).json()) as T;
}

function post(body: unknown): RequestInit {
  return { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

function fromBase64(text: string): Blob {
  return new Blob([Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))], { type: "image/png" });
}
