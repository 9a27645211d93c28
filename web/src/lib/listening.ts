/** Streams of a server's events, for as long as they are of use.
 *
 *  Browsers give a server six connections over all open pages, and a stream keeps one: where they are used up, nothing is
 *  drawn any more on any page. The server has so many places for streams, and refuses more, of which `EventSource` tells
 *  no more than that it is closed. */

import { BackendError, type FilesProgress, type Reason, type RunDetail, type RunEvents, type RunInfo, type Watch } from "./backend";

/** Milliseconds before asking again for what was refused or broke off. */
export const PAUSE = 2_500;

/** Follows a run: tells all of it at first and after every gap, and what happens while it goes on and the page is seen.
 *
 *  @param address Of the run.
 *  @param ask Gives the run as it is. */
export function watchRun(address: string, ask: () => Promise<RunDetail>, events: RunEvents): Watch {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts, so that an answer that comes after the next question, or after the end, is known as late. */
  let turn = 0;
  let complained = false;

  const close = (): void => {
    turn++;
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };

  const later = (): void => {
    close();
    timer = setTimeout(() => void look(), PAUSE);
  };

  const look = async (): Promise<void> => {
    close();
    if (isHidden()) return;
    const mine = turn;
    try {
      const run = await ask();
      if (mine !== turn) return;
      complained = false;
      events.whole(run);
      if (run.state === "running") open(run.stats.at(-1)?.images ?? -1);
    } catch (error) {
      if (mine !== turn) return;
      if (!complained) events.failed(error);
      complained = true;
      // What is refused now always will be: the run was deleted.
      if (!(error instanceof BackendError && error.kind === "refused")) later();
    }
  };

  const open = (after: number): void => {
    const opened = (source = new EventSource(`${address}/events?after=${after}`));
    const on = <T>(type: string, tell: (data: T) => void): void =>
      opened.addEventListener(type, (event) => {
        if (source === opened) tell(dataOf<T>(event));
      });
    on("stats", events.stats);
    on<{ images: number }>("sample", ({ images }) => events.sample(images));
    on<RunInfo>("state", (run) => {
      events.state(run);
      // Its last tick and samples may have come between the last look at them and its end.
      if (run.state !== "running") void look();
    });
    opened.addEventListener("error", () => {
      if (source === opened) later();
    });
  };

  const onvisibility = (): void => {
    if (isHidden()) close();
    else if (source === undefined) void look();
  };

  document.addEventListener("visibilitychange", onvisibility);
  void look();
  return {
    again: () => void look(),
    stop() {
      document.removeEventListener("visibilitychange", onvisibility);
      close();
    },
  };
}

interface Job extends FilesProgress, Partial<Reason> {
  state: "running" | "done" | "failed";
  message: string;
}

/** Waits for the end of a job: by its stream, and by asking now and then where there is none to be had or nobody looks.
 *
 *  @param address Of the job.
 *  @param ask Gives the job as it is.
 *  @throws BackendError Where the job failed, and what `ask` throws; `signal`'s reason once that calls it off. */
export async function finished(
  address: string,
  ask: () => Promise<unknown>,
  onProgress: (progress: FilesProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const job = (await lastOf(address, onProgress, signal)) ?? ((await ask()) as Job);
    signal.throwIfAborted();
    onProgress(job);
    if (job.state === "done") return;
    if (job.state === "failed") throw new BackendError("refused", job.message, 1, job);
    await pause(signal);
  }
}

/** The job at its end as its stream tells of it; undefined where the stream is refused, or the page is hidden. */
function lastOf(
  address: string,
  onProgress: (progress: FilesProgress) => void,
  signal: AbortSignal,
): Promise<Job | undefined> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    if (isHidden()) return resolve(undefined);
    const source = new EventSource(`${address}/events`);
    const end = (settle: () => void): void => {
      source.close();
      signal.removeEventListener("abort", stop);
      document.removeEventListener("visibilitychange", onvisibility);
      settle();
    };
    const stop = (): void => end(() => reject(signal.reason as Error));
    signal.addEventListener("abort", stop);
    const onvisibility = (): void => {
      if (isHidden()) end(() => resolve(undefined));
    };
    document.addEventListener("visibilitychange", onvisibility);
    source.addEventListener("progress", (event) => onProgress(dataOf<Job>(event)));
    for (const state of ["done", "failed"] as const) {
      source.addEventListener(state, (event) => end(() => resolve({ ...dataOf<Job>(event), state })));
    }
    source.addEventListener("error", () => {
      // It connects again by itself unless it was refused.
      if (source.readyState === EventSource.CLOSED) end(() => resolve(undefined));
    });
  });
}

function pause(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", stop);
      resolve();
    }, PAUSE);
    signal.addEventListener("abort", stop);
  });
}

function isHidden(): boolean {
  return document.visibilityState === "hidden";
}

function dataOf<T>(event: Event): T {
  return JSON.parse((event as MessageEvent<string>).data) as T;
}
