import { expect, test } from "vitest";
import type { Act, Stroke } from "./drawing";
import { boxOf, EMPTY, INK, isEmpty, mirroredPoint, segments, tip, visibleActs, widthAt } from "./drawing";

const stroke = (...places: [number, number, number?][]): Stroke => ({
  kind: "stroke",
  ink: INK,
  width: 0.02,
  mirrored: false,
  points: places.map(([x, y, pressure = 0.5]) => ({ x, y, pressure })),
});

test("a click is a dot", () => {
  const click = stroke([0.3, 0.4]);
  const [dot, ...rest] = segments(click);
  expect([...rest, ...tip(click)]).toEqual([]);
  expect(dot?.from).toEqual(dot?.to);
});

test("the pieces of a stroke join without gaps and reach from its first point to its last", () => {
  const line = stroke([0, 0], [0.1, 0.2], [0.4, 0.1], [0.9, 0.9]);
  const pieces = [...segments(line), ...tip(line)];
  for (let index = 1; index < pieces.length; index++) expect(pieces[index]!.from).toEqual(pieces[index - 1]!.to);
  expect(pieces[0]!.from).toMatchObject({ x: 0, y: 0 });
  expect(pieces.at(-1)!.to).toMatchObject({ x: 0.9, y: 0.9 });
});

test("a stroke that grew is continued where it was: old and new pieces are those of the whole", () => {
  const places: [number, number][] = [[0, 0], [0.1, 0.2], [0.4, 0.1], [0.9, 0.9]];
  for (const mirrored of [false, true]) {
    const whole = { ...stroke(...places), mirrored };
    const grown = [0, 1, 3].flatMap((start, turn) => {
      const end = [1, 3, 4][turn]!;
      return segments({ ...whole, points: whole.points.slice(0, end) }, start);
    });
    expect(grown).toEqual(segments(whole));
  }
});

test("a piece touches nothing outside its box, which ends where the raster does", () => {
  const [dot] = segments(stroke([0.5, 0.25]));
  expect(boxOf({ ...dot!, width: 0.1 }, 100)).toEqual({ left: 43, top: 18, right: 57, bottom: 32 });
  const [beside] = segments(stroke([-0.5, 0.5]));
  expect(boxOf(beside!, 100)).toBeUndefined();
  const [corner] = segments(stroke([0, 1]));
  expect(boxOf(corner!, 100)).toEqual({ left: 0, top: 97, right: 3, bottom: 100 });
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
