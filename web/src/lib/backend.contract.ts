/** What every back end has to do, whatever runs the models. Each implementation's tests call it with one of theirs. */

import { expect, test } from "vitest";
import { BackendError, type Backend, type ModelInfo } from "./backend";
import { encodePng } from "./png";

async function isPng(blob: Blob): Promise<boolean> {
  return Buffer.from(await blob.slice(0, 8).arrayBuffer()).toString("latin1") === "\x89PNG\r\n\x1a\n";
}

export function obeysTheContract(backend: () => Backend): void {
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

  test("what is no picture is refused with words for a person", async () => {
    const model = await find(({ task }) => task === "translate");
    if (!model) return;
    const request = { model: model.name, picture: new Blob(["nothing"]), page: "contract" };
    const failure = await backend().translate(request).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(BackendError);
    expect(failure).toMatchObject({ kind: "refused" });
    expect((failure as BackendError).message).not.toBe("");
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
