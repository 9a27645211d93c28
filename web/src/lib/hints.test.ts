import { expect, test } from "vitest";
import type { Dabs } from "./hints";
import { dabAt, hintPixels, movedDab, withDab, withoutDab } from "./hints";

const red = { x: 0.5, y: 0.5, radius: 0.1, colour: "#ff0000" };
const blue = { x: 0.52, y: 0.5, radius: 0.1, colour: "#0000ff" };
const both: Dabs = withDab(withDab([], red), blue);

const alphaAt = (dabs: Dabs, size: number, x: number, y: number): number | undefined =>
  hintPixels(dabs, size).data[(y * size + x) * 4 + 3];

test("dabs are found, moved and removed one by one, and the layer before is left as it was", () => {
  const blueId = dabAt(both, 0.52, 0.5)!.id;
  const moved = movedDab(both, blueId, 0.1, 0.2);
  expect(dabAt(moved, 0.1, 0.2)?.colour).toBe("#0000ff");
  expect(dabAt(moved, 0.52, 0.5)?.colour).toBe("#ff0000");
  expect(dabAt(both, 0.52, 0.5)?.colour).toBe("#0000ff");
  expect(withoutDab(both, blueId).map(({ colour }) => colour)).toEqual(["#ff0000"]);
});

test("no two dabs share a number, also after removing one", () => {
  const left = withoutDab(both, 1);
  expect(new Set(withDab(left, red).map(({ id }) => id)).size).toBe(2);
});

test("a dab cannot leave the drawing", () => {
  const [dab] = movedDab(withDab([], red), 1, -3, 7);
  expect(dab).toMatchObject({ x: 0, y: 1 });
});

test("pixels are opaque under a dab and wholly transparent elsewhere: the rim is never half", () => {
  const { data, channels, width } = hintPixels(both, 64);
  expect([channels, width]).toEqual([4, 64]);
  const alphas = new Set(data.filter((_, index) => index % 4 === 3));
  expect(alphas).toEqual(new Set([0, 255]));
  expect(alphaAt(both, 64, 0, 0)).toBe(0);
});

test("the later dab lies on top, in its exact colour", () => {
  const { data } = hintPixels(both, 64);
  expect([...data.subarray((32 * 64 + 33) * 4, (32 * 64 + 33) * 4 + 4)]).toEqual([0, 0, 255, 255]);
});

test("the smallest dab covers a pixel, at the far edge too", () => {
  const tiny = withDab([], { ...red, radius: 1e-6, x: 1, y: 1 });
  expect(hintPixels(tiny, 16).data.filter((value) => value > 0)).toHaveLength(2);
  expect(alphaAt(tiny, 16, 15, 15)).toBe(255);
});

test("a disc covers the area of a disc", () => {
  const covered = hintPixels(withDab([], { ...red, radius: 0.25 }), 128).data.filter((_, i) => i % 4 === 3);
  const area = covered.filter((alpha) => alpha > 0).length;
  expect(Math.abs(area / (Math.PI * 32 ** 2) - 1)).toBeLessThan(0.02);
});
