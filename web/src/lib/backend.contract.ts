/** What every back end has to do, whatever runs the models. Each implementation's tests call it with one of theirs. */

import { unzipSync } from "fflate";
import { expect, test } from "vitest";
import { BackendError, type Backend, type FilesProgress, type ModelInfo } from "./backend";
import { reasonIn } from "./i18n";
import { encodePng } from "./png";

async function isPng(blob: Blob): Promise<boolean> {
  return Buffer.from(await blob.slice(0, 8).arrayBuffer()).toString("latin1") === "\x89PNG\r\n\x1a\n";
}

/** What a test can do with that which draws. */
export interface Hands {
  /** Lets no drawing be finished before what it returns is called. */
  hold(): () => void;
  /** Drawings that were asked for and have come to it, whether or not they have begun. */
  come(): number;
}

export function obeysTheContract(backend: () => Backend, { hold, come }: Hands): void {
  const find = async (wanted: (model: ModelInfo) => boolean): Promise<ModelInfo | undefined> =>
    (await backend().models()).find(wanted);
  const white = (size: number): Promise<Blob> =>
    encodePng({ width: size, height: size, channels: 1, data: new Uint8Array(size * size).fill(255) });

  test("models are told with all that a view needs to know", async () => {
    const models = await backend().models();
    expect(models.length).toBeGreaterThan(0);
    for (const { name, size, task, source } of models) {
      expect(name).not.toBe("");
      expect(size).toBeGreaterThan(0);
      expect(source === null).toBe(task === "label");
    }
  });

  test("every example is a picture", async () => {
    for (const { name, examples } of await backend().models()) {
      for (let index = 0; index < examples; index++) expect(await isPng(await backend().example(name, index))).toBe(true);
    }
  });

  test("a drawing is answered with a picture", async () => {
    const model = await find(({ source }) => source?.kind === "picture");
    if (!model) return;
    const request = { model: model.name, picture: await white(model.size), page: "contract" };
    const { picture, milliseconds } = await backend().translate(request);
    expect(await isPng(picture)).toBe(true);
    expect(milliseconds).toBeGreaterThanOrEqual(0);
  });

  test("what is no picture is refused with words for a person, in both languages", async () => {
    const model = await find(({ task }) => task === "translate");
    if (!model) return;
    const request = { model: model.name, picture: new Blob(["nothing"]), page: "contract" };
    const failure = await backend().translate(request).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendError);
    expect(failure).toMatchObject({ kind: "refused" });
    const { message, reason } = failure as BackendError;
    expect(message).not.toBe("");
    expect(reasonIn("ko", message, reason)).toMatch(/[가-힣]/);
    expect(reasonIn("ko", message, reason)).not.toMatch(/[{}]/);
  });

  test("of one page the newest drawing takes the place of the one that waits; what has begun is finished", async () => {
    const model = await find(({ source }) => source?.kind === "picture");
    if (!model) return;
    const picture = await white(model.size);
    const release = hold();
    const before = come();
    const asked: Promise<unknown>[] = [];
    // The next is sent when the one before has come, as no order is kept on the way.
    for (const page of ["mine", "mine", "another", "mine"]) {
      asked.push(backend().translate({ model: model.name, picture, page }).catch((error: unknown) => error));
      await expect.poll(come).toBe(before + asked.length);
    }
    const [, stale] = asked;
    expect(await stale).toMatchObject({ name: "BackendError", kind: "superseded" });
    release();
    const [first, , other, newest] = await Promise.all(asked);
    for (const answer of [first, other, newest]) expect(await isPng((answer as { picture: Blob }).picture)).toBe(true);
  });

  test("a model is warmed without an answer, and drawn with all the same; one that is not there is nobody's trouble", async () => {
    const model = await find(({ source }) => source?.kind === "picture");
    if (!model) return;
    for (const name of [model.name, "nobody", model.name]) expect(backend().warm?.(name)).toBeUndefined();
    const request = { model: model.name, picture: await white(model.size), page: "contract" };
    expect(await isPng((await backend().translate(request)).picture)).toBe(true);
  });

  test("many files come back as one archive of pictures, with how far it is and what failed", async () => {
    const model = await find(({ source }) => source?.kind === "picture");
    if (!model) return;
    const picture = await white(model.size);
    const files = [new File([picture], "a.png"), new File(["nothing"], "broken.png"), new File([picture], "b.png")];
    const told: FilesProgress[] = [];
    const { signal } = new AbortController();
    const archive = await backend().translateFiles(model.name, files, undefined, (now) => told.push(now), signal);
    const results = Object.entries(unzipSync(new Uint8Array(await archive.arrayBuffer())));
    expect(results.map(([name]) => name).sort()).toEqual(["a.png", "b.png"]);
    for (const [, bytes] of results) expect(await isPng(new Blob([bytes as Uint8Array<ArrayBuffer>]))).toBe(true);
    const done = told.map((now) => now.done);
    expect(done).toEqual([...done].sort((one, other) => one - other));
    expect(told.at(-1)).toMatchObject({ done: 3, total: 3, failed: [{ name: "broken.png" }] });
    expect(told.at(-1)!.failed[0]!.reason).not.toBe("");
  });

  test("a job can be called off before it begins and while it goes on", async () => {
    const model = await find(({ source }) => source?.kind === "picture");
    if (!model) return;
    const files = [new File([await white(model.size)], "a.png"), new File([await white(model.size)], "b.png")];
    for (const early of [true, false]) {
      const controller = new AbortController();
      if (early) controller.abort();
      const onProgress = (): void => controller.abort();
      const work = backend().translateFiles(model.name, files, undefined, onProgress, controller.signal);
      await expect(work).rejects.toMatchObject({ name: "AbortError" });
    }
  });

  test("labels are drawn in their order, and a walk has as many steps as asked for", async () => {
    const model = await find(({ class_names }) => class_names.includes("7"));
    if (!model) return;
    const row = await backend().sample({ model: model.name, labels: ["2", "0", "2", "6"], seed: 1 });
    expect(row.map(({ label }) => label)).toEqual(["2", "0", "2", "6"]);
    const walk = await backend().sample({ model: model.name, labels: ["7"], seed: 1, between: { seed: 2, steps: 5 } });
    expect(walk).toHaveLength(5);
    for (const { picture } of [...row, ...walk]) expect(await isPng(picture)).toBe(true);
  });
}
