import { expect, test } from "vitest";
import { alike, Latest } from "./latest";

function gate(): { promise: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

test("a hundred changes during one request become one more request, with the newest state", async () => {
  let state = 0;
  const sent: number[] = [];
  const gates = [gate(), gate(), gate()];
  const latest = new Latest(async () => {
    sent.push(state);
    await gates[sent.length - 1]!.promise;
  });
  latest.poke();
  for (state = 1; state < 100; state++) latest.poke();
  expect(sent).toEqual([0]);
  gates[0]!.open();
  await settled();
  expect(sent).toEqual([0, 100]);
  gates[1]!.open();
  await settled();
  expect(sent).toEqual([0, 100]);
});

test("a change after an answer is sent at once", async () => {
  let sent = 0;
  const latest = new Latest(async () => void sent++);
  latest.poke();
  await settled();
  latest.poke();
  await settled();
  expect(sent).toBe(2);
});

test("nothing is sent once it was stopped", async () => {
  let sent = 0;
  const first = gate();
  const latest = new Latest(async () => {
    sent++;
    await first.promise;
  });
  latest.poke();
  latest.poke();
  latest.stop();
  first.open();
  await settled();
  expect(sent).toBe(1);
});

test("the same drawing asked for in another way is another request", () => {
  const request = { model: "m", picture: new Blob(["a"]), variation: 0 };
  expect(alike(request, { ...request })).toBe(true);
  expect(alike(request, { ...request, picture: new Blob(["a"]) })).toBe(false);
  expect(alike(request, { ...request, variation: 1 })).toBe(false);
  const { variation: _, ...steady } = request;
  expect(alike<object>(request, steady)).toBe(false);
  expect(alike<object>(steady, request)).toBe(false);
});
