import { expect, test } from "vitest";
import { segments, tip, type Stroke } from "./drawing";
import { drawPiece, emptyMap, floodFill, idAt, idsOf, mapPixels, type LabelMap } from "./labelmap";

const line = (ink: number, width: number, ...places: [number, number][]): Stroke => ({
  kind: "stroke",
  ink,
  width,
  mirrored: false,
  points: places.map(([x, y]) => ({ x, y, pressure: 0.5 })),
});

function drawStroke(map: LabelMap, stroke: Stroke): void {
  for (const piece of [...segments(stroke), ...tip(stroke)]) drawPiece(map, piece, stroke.ink);
}

/** Rows of digits, as one reads them. */
function mapOf(...rows: string[]) {
  return { size: rows.length, ids: Uint8Array.from(rows.join(""), Number) };
}

test("filling stops at other classes and does not slip through corners", () => {
  const map = mapOf("00100", "01000", "10000", "00011", "00010");
  floodFill(map, 0.1, 0.1, 7);
  expect([...map.ids].join("")).toBe("77100" + "71000" + "10000" + "00011" + "00010");
});

test("filling reaches the whole of a large empty map", () => {
  const map = emptyMap(512, 3);
  floodFill(map, 0.999, 1, 5);
  expect(map.ids.every((id) => id === 5)).toBe(true);
});

test("filling with the class that is there ends at once", () => {
  const map = mapOf("00", "00");
  floodFill(map, 0, 0, 0);
  expect([...map.ids]).toEqual([0, 0, 0, 0]);
});

test("a closed line keeps a filling in: strokes have no gaps", () => {
  const map = emptyMap(256, 0);
  const ring = Array.from({ length: 13 }, (_, step): [number, number] => {
    const angle = (step / 12) * 2 * Math.PI;
    return [0.5 + 0.3 * Math.cos(angle), 0.5 + 0.3 * Math.sin(angle)];
  });
  drawStroke(map, line(1, 0.008, ...ring));
  floodFill(map, 0.5, 0.5, 2);
  expect(idAt(map, 0.5, 0.5)).toBe(2);
  expect(idAt(map, 0.02, 0.02)).toBe(0);
});

test("a stroke is as wide as it says, and mirrored when asked", () => {
  const map = emptyMap(100, 0);
  drawStroke(map, { ...line(1, 0.1, [0.2, 0.5], [0.3, 0.5]), mirrored: true });
  const column = (x: number): number =>
    Array.from({ length: 100 }, (_, y) => map.ids[y * 100 + x]).filter((id) => id === 1).length;
  expect(column(25)).toBe(10);
  expect(column(74)).toBe(10);
  expect(column(50)).toBe(0);
});

test("the picture that is sent holds the palette's colours and nothing between them", () => {
  const map = emptyMap(512, 0);
  drawStroke(map, line(1, 0.05, [0.1, 0.1], [0.9, 0.8]));
  const { data } = mapPixels(map, ["#808080", "#402080"], 128);
  const colours = new Set(Array.from({ length: data.length / 3 }, (_, i) => data.subarray(i * 3, i * 3 + 3).join()));
  expect(colours).toEqual(new Set(["128,128,128", "64,32,128"]));
});

test("a map read back from its own picture is the same map, and colours nearby are snapped", () => {
  const colours = ["#808080", "#402080", "#00ff00"];
  const map = mapOf("0120", "1111", "2222", "0000");
  const { data } = mapPixels(map, colours, 4);
  const rgba = Array.from({ length: 16 }, (_, i) => [...data.subarray(i * 3, i * 3 + 3), 255]).flat();
  expect([...idsOf(rgba, colours)]).toEqual([...map.ids]);
  expect([...idsOf([60, 30, 120, 255], colours)]).toEqual([1]);
});
