import { expect, test } from "vitest";
import { Queue } from "./queue";

function gate(): { promise: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const promise = new Promise<void>((resolve) => (open = resolve));
  return { promise, open };
}

test("of one page only the newest request waits, in the place of the one before; what has begun is finished", async () => {
  const queue = new Queue();
  const begun: string[] = [];
  const first = gate();
  const work = (name: string, wait?: Promise<void>) => async () => {
    begun.push(name);
    await wait;
    return name;
  };
  const running = queue.submit(work("a1", first.promise), "a");
  const stale = queue.submit(work("a2"), "a");
  const others = [queue.submit(work("b1"), "b"), queue.submit(work("free")), queue.submit(work("free too"))];
  const newest = queue.submit(work("a3"), "a");
  await expect(stale).rejects.toMatchObject({ kind: "superseded" });
  expect(begun).toEqual(["a1"]);
  first.open();
  expect(await Promise.all([running, newest, ...others])).toEqual(["a1", "a3", "b1", "free", "free too"]);
  expect(begun).toEqual(["a1", "a3", "b1", "free", "free too"]);
});

test("what fails does not keep the next from its turn", async () => {
  const queue = new Queue();
  const failing = queue.submit(() => Promise.reject(new Error("no")));
  const next = queue.submit(() => Promise.resolve(1));
  await expect(failing).rejects.toThrow("no");
  expect(await next).toBe(1);
});
