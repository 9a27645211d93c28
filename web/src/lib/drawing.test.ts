import { expect, test } from "vitest";
import type { Act, Stroke } from "./drawing";
import { EMPTY, INK, isEmpty, mirroredPoint, segments, visibleActs, widthAt } from "./drawing";

const stroke = (...places: [number, number, number?][]): Stroke => ({
  kind: "stroke",
  ink: INK,
  width: 0.02,
  mirrored: false,
  points: places.map(([x, y, pressure = 0.5]) => ({ x, y, pressure })),
});

test("a click is a dot", () => {
  const [dot, ...rest] = segments(stroke([0.3, 0.4]));
  expect(rest).toEqual([]);
  expect(dot?.from).toEqual(dot?.to);
});

test("the pieces of a stroke join without gaps and reach from its first point to its last", () => {
  const pieces = segments(stroke([0, 0], [0.1, 0.2], [0.4, 0.1], [0.9, 0.9]));
  for (let index = 1; index < pieces.length; index++) expect(pieces[index]!.from).toEqual(pieces[index - 1]!.to);
  expect(pieces[0]!.from).toMatchObject({ x: 0, y: 0 });
  expect(pieces.at(-1)!.to).toMatchObject({ x: 0.9, y: 0.9 });
});

test("a stroke that grew is continued where it was, not drawn again", () => {
  const whole = stroke([0, 0], [0.1, 0.2], [0.4, 0.1]);
  const grown = segments(whole, 2);
  expect(grown[0]!.from).toMatchObject({ x: 0.05, y: 0.1 });
  expect(grown).toHaveLength(2);
});

test("a mouse draws the set width, pressure thins and thickens it", () => {
  const line = stroke([0, 0, 0.5], [0, 0, 0.1], [0, 0, 1]);
  const [mouse, light, firm] = line.points.map((point) => widthAt(line, point));
  expect(mouse).toBeCloseTo(0.02);
  expect(light).toBeLessThan(0.02);
  expect(firm).toBeGreaterThan(0.02);
});

test("the mirror stands upright in the middle", () => {
  expect(mirroredPoint({ x: 0.2, y: 0.7, pressure: 0.5 })).toEqual({ x: 0.8, y: 0.7, pressure: 0.5 });
});

test("only what came after clearing is seen, and a cleared drawing without dabs is empty", () => {
  const line = stroke([0, 0]);
  const acts: Act[] = [line, { kind: "clear" }];
  expect(visibleActs(acts)).toEqual([]);
  expect(visibleActs([...acts, line])).toEqual([line]);
  expect(isEmpty(EMPTY)).toBe(true);
  expect(isEmpty({ acts, dabs: [] })).toBe(true);
  expect(isEmpty({ acts: [...acts, line], dabs: [] })).toBe(false);
  expect(isEmpty({ acts, dabs: [{ id: 1, x: 0, y: 0, radius: 0.1, colour: "#ff0000" }] })).toBe(false);
});
