import { expect, test } from "vitest";
import { History } from "./history";

test("undo and redo walk through every step and stop at both ends", () => {
  const history = new History("a");
  history.commit("b");
  history.commit("c");
  history.undo();
  history.undo();
  history.undo();
  expect(history.present).toBe("a");
  expect(history.canUndo).toBe(false);
  history.redo();
  history.redo();
  history.redo();
  expect(history.present).toBe("c");
  expect(history.canRedo).toBe(false);
});

test("a new step forgets what had been undone", () => {
  const history = new History(1);
  history.commit(2);
  history.undo();
  history.commit(3);
  expect(history.canRedo).toBe(false);
  history.undo();
  expect(history.present).toBe(1);
});

test("memory is bounded: beyond the limit the oldest steps go", () => {
  const history = new History(0, 3);
  for (let step = 1; step <= 10; step++) history.commit(step);
  while (history.canUndo) history.undo();
  expect(history.present).toBe(7);
});
