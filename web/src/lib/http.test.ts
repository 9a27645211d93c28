import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { startMock } from "../../dev/mock.mjs";
import type { RunDetail, RunInfo, StatsRecord } from "./backend";
import { obeysTheContract } from "./backend.contract";
import { HttpBackend } from "./http";

/** Node has none; of a stream that ends this does what a browser does. */
class WholeEventSource extends EventTarget {
  static readonly CLOSED = 2;
  readyState = 0;
  constructor(address: string) {
    super();
    void this.read(address);
  }
  close(): void {
    this.readyState = WholeEventSource.CLOSED;
  }
  private async read(address: string): Promise<void> {
    const response = await fetch(address);
    if (!response.ok) this.close();
    else {
      for (const [, type, data] of (await response.text()).matchAll(/event: (.*)\ndata: (.*)\n\n/g)) {
        if (this.readyState !== WholeEventSource.CLOSED) this.dispatchEvent(new MessageEvent(type!, { data: data! }));
      }
    }
    this.dispatchEvent(new Event("error"));
  }
}

let mock: Awaited<ReturnType<typeof startMock>>;
let backend: HttpBackend;

beforeAll(async () => {
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  globalThis.EventSource = WholeEventSource as unknown as typeof EventSource;
  mock = await startMock();
  backend = new HttpBackend(mock.origin);
});
beforeEach(() => void mock.seen.splice(0));
afterAll(() => mock.close());

const PICTURE = new Blob(["\x89PNG"], { type: "image/png" });
const asked = { model: "sketch2color", picture: PICTURE, page: "p" };

describe("the contract", () => {
  obeysTheContract(() => backend, {
    hold: () => mock.hold(),
    come: () => mock.seen.filter(({ path }) => path.endsWith("/translate")).length,
  });
});

test("hints, label and variation go along only when there are any", async () => {
  await backend.translate(asked);
  for (const name of ["hints", "label", "variation"]) expect(mock.seen.at(-1)!.body).not.toContain(`name="${name}"`);
  await backend.translate({ ...asked, hints: PICTURE, label: "cat", variation: 0 });
  for (const name of ["hints", "label", "variation"]) expect(mock.seen.at(-1)!.body).toContain(`name="${name}"`);
});

test("a name with a colon stays one part of the address", async () => {
  await backend.example("run:street", 0);
  expect(mock.seen.at(-1)!.path).toBe("/api/models/run:street/examples/0.png");
});

test("a model that will be drawn with is loaded before the first stroke", async () => {
  backend.warm("run:street");
  await expect.poll(() => mock.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(["POST /api/models/run:street/warm"]);
});

test("a crowd knows how long to wait", async () => {
  await expect(backend.translate({ ...asked, page: "crowd" })).rejects.toMatchObject({ kind: "busy", retryAfter: 3 });
});

test("a refusal says why by a code that the page has words for", async () => {
  const failure = backend.translate({ ...asked, picture: new Blob(["text"]) });
  await expect(failure).rejects.toMatchObject({
    kind: "refused",
    message: "the picture is none",
    reason: { code: "not-a-picture", parameters: { kinds: "PNG" } },
  });
});

test("nobody there is told apart from a refusal", async () => {
  await expect(new HttpBackend("http://127.0.0.1:1").models()).rejects.toMatchObject({ kind: "unreachable" });
});

test("once the files have come the server may forget the job", async () => {
  const { signal } = new AbortController();
  await backend.translateFiles("sketch2color", [new File(["a"], "a.png")], undefined, () => undefined, signal);
  await expect.poll(() => mock.seen.at(-1)!.method).toBe("DELETE");
});

test("a job that is called off ends, and the server is told", async () => {
  const controller = new AbortController();
  const file = new File(["a"], "a.png");
  const work = backend.translateFiles("sketch2color", [file], undefined, () => controller.abort(), controller.signal);
  await expect(work).rejects.toMatchObject({ name: "AbortError" });
  await expect.poll(() => mock.seen.at(-1)!.method).toBe("DELETE");
});

test("a run is started with the changed settings, watched from where it is known, stopped and resumed", async () => {
  const { training } = backend;
  await training.start({ name: "mine", recipe: "sketch2color", settings: { "train.total_images": 5 } });
  expect(JSON.parse(mock.seen.at(-1)!.body)).toEqual({ name: "mine", recipe: "sketch2color", settings: { "train.total_images": 5 } });
  const wholes: RunDetail[] = [];
  const states: RunInfo[] = [];
  const stats: StatsRecord[] = [];
  const samples: number[] = [];
  const watch = training.watch("mine", {
    whole: (run) => void wholes.push(run),
    state: (run) => void states.push(run),
    stats: (record) => void stats.push(record),
    sample: (images) => void samples.push(images),
    failed: (error) => expect.unreachable(String(error)),
  });
  await expect.poll(() => samples).toEqual([20]);
  watch.stop();
  expect(wholes.map(({ stats }) => stats.map(({ images }) => images))).toEqual([[10]]);
  expect(mock.seen.at(-1)!.query).toBe("?after=10");
  expect(states[0]!.name).toBe("mine");
  expect(stats[0]!.losses).toEqual({ g: 0.5 });
  expect((await training.stop("mine")).state).toBe("stopped");
  expect((await training.resume("mine")).state).toBe("running");
});
