import { expect, test } from "vitest";
import { moved } from "./cursor";

test("arrow keys move by a 64th of the side, with Shift by a 16th, and never off the sheet", () => {
  const middle = { x: 0.5, y: 0.5 };
  expect(moved({ key: "ArrowLeft", shiftKey: false }, middle)).toEqual({ x: 31 / 64, y: 0.5 });
  expect(moved({ key: "ArrowDown", shiftKey: true }, middle)).toEqual({ x: 0.5, y: 9 / 16 });
  expect(moved({ key: "ArrowUp", shiftKey: true }, { x: 0.2, y: 0.01 })).toEqual({ x: 0.2, y: 0 });
  expect(moved({ key: "ArrowRight", shiftKey: true }, { x: 1, y: 0.3 })).toEqual({ x: 1, y: 0.3 });
  expect(moved({ key: "a", shiftKey: false }, middle)).toBeUndefined();
});
