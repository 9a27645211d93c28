import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { BackendError, type FilesProgress, type RunDetail, type RunInfo, type Watch } from "./backend";
import { finished, PAUSE, watchRun } from "./listening";

/** As a browser's, but for the server. */
class Stream extends EventTarget {
  static readonly CLOSED = 2;
  static all: Stream[] = [];
  readyState = 0;
  constructor(readonly address: string) {
    super();
    Stream.all.push(this);
  }
  close(): void {
    this.readyState = Stream.CLOSED;
  }
  tell(type: string, data: unknown): void {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data) }));
  }
  /** What a browser does at 503. */
  refuse(): void {
    this.close();
    this.dispatchEvent(new Event("error"));
  }
  static get open(): Stream[] {
    return Stream.all.filter(({ readyState }) => readyState !== Stream.CLOSED);
  }
}

class Page extends EventTarget {
  visibilityState = "visible";
  become(state: "visible" | "hidden"): void {
    this.visibilityState = state;
    this.dispatchEvent(new Event("visibilitychange"));
  }
}

let page: Page;
let run: RunDetail;
let asked: number;
let refusal: BackendError | undefined;
let watch: Watch | undefined;
const told: { wholes: RunDetail[]; stats: number[]; states: RunInfo["state"][]; failures: unknown[] } = {
  wholes: [], stats: [], states: [], failures: [],
};

const tick = (images: number) => ({ images, losses: {} });
/** Lets all promises that can settle do so. */
const settled = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);

async function begin(): Promise<void> {
  const ask = async (): Promise<RunDetail> => {
    asked++;
    if (refusal) throw refusal;
    return structuredClone(run);
  };
  watch = watchRun("/api/runs/mine", ask, {
    whole: (all) => void told.wholes.push(all),
    stats: ({ images }) => void told.stats.push(images),
    sample: () => undefined,
    state: ({ state }) => void told.states.push(state),
    failed: (error) => void told.failures.push(error),
  });
  await settled();
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("EventSource", Stream);
  vi.stubGlobal("document", (page = new Page()));
  Stream.all = [];
  asked = 0;
  refusal = undefined;
  for (const list of Object.values(told)) list.length = 0;
  const known = { name: "mine", recipe: "r", images: 20, total_images: 100, images_per_second: 1, message: "" };
  run = { ...known, state: "running", stats: [tick(10), tick(20)], samples: [] };
});
afterEach(() => {
  watch?.stop();
  watch = undefined;
  vi.useRealTimers();
});

test("a running run is followed from the last tick that is known", async () => {
  await begin();
  expect(told.wholes).toHaveLength(1);
  expect(Stream.all.map(({ address }) => address)).toEqual(["/api/runs/mine/events?after=20"]);
  Stream.all[0]!.tell("stats", tick(30));
  expect(told.stats).toEqual([30]);
});

test.each(["complete", "failed", "stopped"] as const)("a %s run keeps no stream open", async (state) => {
  run.state = state;
  await begin();
  expect(told.wholes).toHaveLength(1);
  expect(Stream.all).toEqual([]);
});

test("a stopped run that is resumed is followed again", async () => {
  run.state = "stopped";
  await begin();
  run.state = "running";
  watch!.again();
  await settled();
  expect(Stream.open).toHaveLength(1);
});

test("a run that ends closes its stream, and is looked at once more for what it wrote last", async () => {
  await begin();
  run = { ...run, state: "complete", stats: [...run.stats, tick(100)], samples: [100] };
  Stream.all[0]!.tell("state", { ...run, stats: undefined });
  await settled();
  expect(told.states).toEqual(["complete"]);
  expect(told.wholes.at(-1)!.stats.at(-1)).toEqual(tick(100));
  expect(Stream.open).toEqual([]);
  await vi.advanceTimersByTimeAsync(10 * PAUSE);
  expect(asked).toBe(2);
});

test("a page that is not seen has no stream; seen again it goes on from the last tick", async () => {
  await begin();
  page.become("hidden");
  expect(Stream.open).toEqual([]);
  await vi.advanceTimersByTimeAsync(10 * PAUSE);
  expect(asked).toBe(1);
  run.stats.push(tick(30), tick(40));
  page.become("visible");
  await settled();
  expect(told.wholes.at(-1)!.stats).toHaveLength(4);
  expect(Stream.open.map(({ address }) => address)).toEqual(["/api/runs/mine/events?after=40"]);
});

test("a page hidden before the answer came opens no stream behind its back", async () => {
  const began = begin();
  page.become("hidden");
  await began;
  expect(Stream.all).toEqual([]);
});

test("a page opened out of sight asks for nothing until it is seen", async () => {
  page.visibilityState = "hidden";
  await begin();
  expect(asked).toBe(0);
  page.become("visible");
  await settled();
  expect(Stream.open).toHaveLength(1);
});

test("where a stream is refused the run is asked for now and then, until there is one again", async () => {
  await begin();
  Stream.all[0]!.refuse();
  run.stats.push(tick(30));
  await vi.advanceTimersByTimeAsync(PAUSE);
  expect(told.wholes.at(-1)!.stats).toHaveLength(3);
  Stream.all[1]!.refuse();
  await vi.advanceTimersByTimeAsync(PAUSE - 1);
  expect(Stream.all).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  expect(Stream.open.map(({ address }) => address)).toEqual(["/api/runs/mine/events?after=30"]);
});

test("nobody there is told of once, and asked again; a run that is gone is not asked for again", async () => {
  refusal = new BackendError("unreachable", "");
  await begin();
  await vi.advanceTimersByTimeAsync(2 * PAUSE);
  expect(asked).toBe(3);
  expect(told.failures).toEqual([refusal]);
  refusal = undefined;
  await vi.advanceTimersByTimeAsync(PAUSE);
  expect(Stream.open).toHaveLength(1);
  refusal = new BackendError("refused", "no run 'mine'");
  Stream.open[0]!.refuse();
  await vi.advanceTimersByTimeAsync(10 * PAUSE);
  expect(asked).toBe(5);
  expect(told.failures).toHaveLength(2);
});

test("nothing is told or asked for once it was stopped", async () => {
  await begin();
  const [stream] = Stream.all;
  watch!.stop();
  stream!.tell("stats", tick(30));
  stream!.refuse();
  page.become("hidden");
  page.become("visible");
  await vi.advanceTimersByTimeAsync(10 * PAUSE);
  expect([asked, told.stats, Stream.open]).toEqual([1, [], []]);
});

const job = (state: string, done: number, message = "") => ({ state, done, total: 3, failed: [], message });

test("a job whose stream is refused is asked for, and its end is not missed", async () => {
  const progress: number[] = [];
  const answers = [job("running", 1), job("running", 2), job("done", 3)];
  const tell = ({ done }: FilesProgress): void => void progress.push(done);
  const end = finished("/api/jobs/1", async () => answers.shift(), tell, new AbortController().signal);
  for (let turn = 0; turn < 3; turn++) {
    expect(Stream.all).toHaveLength(turn + 1);
    Stream.all[turn]!.refuse();
    await vi.advanceTimersByTimeAsync(PAUSE);
  }
  await end;
  expect(progress).toEqual([1, 2, 3]);
});

test("a job whose stream comes at the second try ends with it", async () => {
  const end = finished("/api/jobs/1", async () => job("running", 1), () => undefined, new AbortController().signal);
  Stream.all[0]!.refuse();
  await vi.advanceTimersByTimeAsync(PAUSE);
  Stream.all[1]!.tell("done", job("done", 3));
  await end;
  expect(Stream.open).toEqual([]);
});

test("a job keeps no connection while the page is hidden, is asked for, and is listened to again when it is seen", async () => {
  const progress: number[] = [];
  const tell = ({ done }: FilesProgress): void => void progress.push(done);
  let done = 0;
  const end = finished("/api/jobs/1", async () => job("running", ++done), tell, new AbortController().signal);
  page.become("hidden");
  expect(Stream.open).toEqual([]);
  await vi.advanceTimersByTimeAsync(2 * PAUSE);
  expect(progress).toEqual([1, 2, 3]);
  expect(Stream.all).toHaveLength(1);
  page.become("visible");
  await vi.advanceTimersByTimeAsync(PAUSE);
  expect(Stream.open).toHaveLength(1);
  Stream.all[1]!.tell("done", job("done", 3));
  await end;
});

test("a job that failed says why, however it is heard of", async () => {
  const { signal } = new AbortController();
  const why = { kind: "refused", message: "the disk is full" };
  const heard = finished("/api/jobs/1", async () => undefined, () => undefined, signal);
  Stream.all[0]!.tell("failed", job("failed", 1, "the disk is full"));
  await expect(heard).rejects.toMatchObject(why);
  const looked = finished("/api/jobs/1", async () => job("failed", 1, "the disk is full"), () => undefined, signal);
  Stream.all[1]!.refuse();
  await expect(looked).rejects.toMatchObject(why);
});

test("a job can be called off while it waits to ask again", async () => {
  const controller = new AbortController();
  const end = finished("/api/jobs/1", async () => job("running", 1), () => undefined, controller.signal);
  const outcome = expect(end).rejects.toMatchObject({ name: "AbortError" });
  Stream.all[0]!.refuse();
  await settled();
  controller.abort();
  await outcome;
  await vi.advanceTimersByTimeAsync(10 * PAUSE);
  expect(Stream.all).toHaveLength(1);
});
