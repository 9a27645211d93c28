import { expect, test } from "vitest";
import type { Pixels } from "../png";
import { levels, finished, prepared, workingSize, type Wanted } from "./preparation";

const probe = { shape: [1, 1, 1, 1], indices: [], values: [] } as Wanted["probe"];
const GREY: Wanted = {
  source: { kind: "picture", channels: 1, classes: [] }, hints: false, size: 2, fit: "stretch", resize: "bilinear",
  background: [255, 255, 255], colours: [], ignore: -1, enlarge: "lanczos", result_colours: [], multiple: 2, sweeps: false, probe,
};
const STREET: Wanted = {
  ...GREY, source: { kind: "labels", channels: 1, classes: [] }, colours: [[128, 128, 128], [64, 0, 128], [0, 0, 0]], ignore: 2,
};

function rgba(width: number, height: number, ...pixels: number[][]): Pixels {
  return { width, height, channels: 4, data: Uint8Array.from(pixels.flatMap((pixel) => [...pixel, 255].slice(0, 4))) };
}

test("colour becomes grey by luminance and [-1, 1]; transparency lies on the background", () => {
  const picture = rgba(2, 2, [255, 0, 0], [0, 255, 0], [9, 9, 9, 0], [0, 0, 0, 128]);
  const { data } = prepared(GREY, picture, undefined);
  // ITU-R 601: 0.299 and 0.587 of 255; half of black on white.
  expect([...data].map((value) => Math.round((value + 1) * 127.5))).toEqual([76, 150, 255, 127]);
  const dark = prepared({ ...GREY, background: [0, 0, 0] }, picture, undefined);
  expect(dark.data[2]).toBe(-1);
});

test("a label map is one channel a class, nothing where ignored, and colours are snapped", () => {
  const picture = rgba(2, 2, [128, 128, 128], [70, 3, 120], [0, 0, 0], [64, 0, 128]);
  expect([...prepared(STREET, picture, undefined).data]).toEqual([1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]);
});

test("ids that were saved as greys are ids; a black map, in a palette with black, is colours", () => {
  const ids = rgba(2, 2, [0, 0, 0], [1, 1, 1], [2, 2, 2], [1, 1, 1]);
  expect([...prepared({ ...STREET, ignore: -1 }, ids, undefined).data]).toEqual([1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0]);
  const black = rgba(2, 2, ...Array<number[]>(4).fill([0, 0, 0]));
  expect([...prepared({ ...STREET, ignore: -1 }, black, undefined).data].slice(8)).toEqual([1, 1, 1, 1]);
});

test("a photo is no label map", () => {
  const photo = rgba(2, 2, [250, 200, 10], [0, 255, 0], [255, 255, 255], [128, 128, 128]);
  expect(() => prepared(STREET, photo, undefined)).toThrow("75% of its pixels");
});

test("hints have the mean colour of the dabbed pixels that a pixel stands for, and however small a dab, it is left", () => {
  const white = rgba(4, 4, ...Array<number[]>(16).fill([255, 255, 255]));
  const dots = Array.from({ length: 16 }, () => [0, 0, 0, 0]);
  [dots[0], dots[1], dots[15]] = [[255, 0, 0, 255], [0, 0, 0, 130], [0, 255, 0, 127]];
  const { data, channels } = prepared({ ...GREY, hints: true }, white, rgba(4, 4, ...dots));
  expect(channels).toBe(5);
  expect([...data.subarray(4)]).toEqual([0, 0, 0, 0, -1, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0, 0]);
});

test("hints of another size, or opaque everywhere, are refused in words", () => {
  const white = rgba(1, 1, [255, 255, 255]);
  expect(() => prepared({ ...GREY, hints: true }, white, white)).toThrow("opaque everywhere");
  expect(() => prepared({ ...GREY, hints: true }, white, rgba(2, 1, [0, 0, 0, 0], [0, 0, 0, 0]))).toThrow("2 x 1 pixels");
});

test("the whole picture is worked on at the size of the training, halves rounded to even as in Python", () => {
  expect(workingSize({ height: 30, width: 90 }, { ...GREY, size: 32 })).toEqual({ height: 32, width: 32 });
  expect(workingSize({ height: 30, width: 90 }, { ...GREY, size: 32, fit: "crop" })).toEqual({ height: 32, width: 96 });
  // 5 * 0.5 = 2.5 becomes 2, 3 * 0.5 = 1.5 becomes 2.
  expect(workingSize({ height: 5, width: 64 }, { ...GREY, size: 32, fit: "pad" })).toEqual({ height: 2, width: 32 });
  expect(workingSize({ height: 3, width: 64 }, { ...GREY, size: 32, fit: "pad" })).toEqual({ height: 2, width: 32 });
});

test("what would need tiles is refused in words", () => {
  const wanted: Wanted = { ...GREY, size: 256, fit: "crop", multiple: 256 };
  expect(() => workingSize({ height: 256, width: 256 * 17 }, wanted)).toThrow("4352 x 256 pixels");
});

test("values become levels by rounding halves to even, and are cut at both ends", () => {
  const drawn = { channels: 1, height: 1, width: 5, data: Float32Array.from([-2, 0, 2 / 127.5, 2, 1 / 255]) };
  // 127.5 lies between 127 and 128, of which 128 is even; 129.5 becomes 130.
  expect([...levels(drawn).data]).toEqual([0, 128, 130, 255, 128]);
  expect(() => levels({ ...drawn, data: Float32Array.from([NaN, 0, 0, 0, 0]) })).toThrow("damaged");
});

test("a result that is a label map holds its colours and nothing between them, also when enlarged", () => {
  const wanted: Wanted = { ...GREY, result_colours: [[0, 0, 0], [255, 0, 0]], enlarge: "nearest" };
  const drawn = { channels: 3, height: 1, width: 2, data: Float32Array.from([-0.8, 0.7, -1, -0.9, -1, -1]) };
  expect([...finished(wanted, drawn, { height: 1, width: 4 }).data]).toEqual([0, 0, 0, 0, 0, 0, 255, 0, 0, 255, 0, 0]);
});
