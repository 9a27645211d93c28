/** Both ends of the line between the page and what draws: a worker of its own, so that drawing stays smooth. */

import {
  BackendError,
  type FailureKind,
  type Reason,
  type Sample,
  type SampleRequest,
  type Translation,
  type TranslateRequest,
} from "../backend";
import type { Engine } from "./engine";
import { Queue } from "./queue";

/** A worker or a message port. */
export interface Line {
  postMessage(message: unknown): void;
  onmessage: ((event: MessageEvent) => void) | null;
}

interface Calls {
  warm: { asked: string; answer: void };
  translate: { asked: TranslateRequest; answer: Translation };
  sample: { asked: SampleRequest; answer: Sample[] };
}

type Call = { [Kind in keyof Calls]: { id: number; kind: Kind; asked: Calls[Kind]["asked"] } }[keyof Calls];
interface Failure {
  kind: FailureKind;
  message: string;
  reason?: Partial<Reason>;
}
type Answer =
  | { id: number; answer: unknown }
  | { id: number; failure: Failure }
  | { fetched: number | null };

/** The end that draws. */
export function serve(line: Line, engine: Engine): void {
  const queue = new Queue();
  const answers: { [Kind in keyof Calls]: (asked: Calls[Kind]["asked"]) => Promise<Calls[Kind]["answer"]> } = {
    // Not in the queue: loading one model is no reason to wait with another.
    warm: (name) => engine.warm(name),
    translate: (request) => queue.submit(() => engine.translate(request), request.page),
    sample: (request) => queue.submit(() => engine.sample(request), request.page),
  };
  line.onmessage = ({ data }: MessageEvent<Call>) => {
    const { id, kind, asked } = data;
    (answers[kind] as (asked: Call["asked"]) => Promise<unknown>)(asked).then(
      (answer) => line.postMessage({ id, answer } satisfies Answer),
      (error: unknown) => line.postMessage({ id, failure: failureOf(error) } satisfies Answer),
    );
  };
}

/** Tells the other end how much has been fetched. */
export function tellFetched(line: Line, fetched: number | null): void {
  line.postMessage({ fetched } satisfies Answer);
}

/** The end that asks. */
export class Caller {
  onfetched: (share: number | null) => void = () => undefined;
  private readonly open = new Map<number, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  private count = 0;

  constructor(private readonly line: Line) {
    line.onmessage = ({ data }: MessageEvent<Answer>) => {
      if ("fetched" in data) return this.onfetched(data.fetched);
      const call = this.open.get(data.id);
      this.open.delete(data.id);
      if ("failure" in data) call?.reject(failed(data.failure));
      else call?.resolve(data.answer as never);
    };
  }

  call<Kind extends keyof Calls>(kind: Kind, asked: Calls[Kind]["asked"]): Promise<Calls[Kind]["answer"]> {
    const id = this.count++;
    return new Promise((resolve, reject) => {
      this.open.set(id, { resolve, reject });
      this.line.postMessage({ id, kind, asked });
    });
  }
}

function failed({ kind, message, reason }: Failure): BackendError {
  return new BackendError(kind, message, 1, reason);
}

function failureOf(error: unknown): Failure {
  if (error instanceof BackendError) return { kind: error.kind, message: error.message, reason: error.reason };
  return { kind: "refused", message: error instanceof Error ? error.message : String(error) };
}
