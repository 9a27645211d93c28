import { expect, test } from "vitest";
import { nearestPlace, path, rangeOf, seriesOf, thinned, ticks } from "./plot";

test("one curve a loss; a value that is no number is left out and the others stay", () => {
  const series = seriesOf(
    [
      { images: 10, losses: { d: 1, g: 2 } },
      { images: 20, losses: { d: Number.NaN, g: 3 } },
    ],
    "losses",
  );
  expect(series.map(({ name, places }) => [name, places.length])).toEqual([
    ["d", 1],
    ["g", 2],
  ]);
});

test("thinning keeps the mean, the bound and the newest value", () => {
  const places = Array.from({ length: 1000 }, (_, index) => ({ images: index, value: index % 2 }));
  const thin = thinned(places, 100);
  expect(thin.length).toBeLessThanOrEqual(100);
  expect(thin.at(-1)).toEqual({ images: 999, value: 1 });
  const mean = thin.reduce((sum, { value }) => sum + value, 0) / thin.length;
  expect(mean).toBeCloseTo(0.5, 1);
  expect(thinned(places.slice(0, 5), 100)).toEqual(places.slice(0, 5));
});

test("ticks are round and inside the range", () => {
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(ticks(0, 200_000, 4)).toEqual([0, 50_000, 100_000, 150_000, 200_000]);
  expect(ticks(-0.3, 0.31, 6)).toEqual([-0.2, 0, 0.2]);
  expect(ticks(2, 2, 5)).toEqual([2]);
});

test("one wild value at the start does not flatten the curve", () => {
  const places = Array.from({ length: 200 }, (_, index) => ({ images: index, value: index === 0 ? 1e6 : 1 + index / 200 }));
  expect(rangeOf([{ name: "g", places }]).high).toBeLessThan(3);
});

test("a curve fills its box: from the left below to the right above", () => {
  const places = [
    { images: 0, value: 0 },
    { images: 50, value: 1 },
  ];
  expect(path(places, 100, { low: 0, high: 2 }, 200, 80)).toBe("M0.0 80.0L100.0 40.0");
});

test("the nearest place is found, of an empty series none", () => {
  const places = [10, 20, 30].map((images) => ({ images, value: images }));
  expect(nearestPlace(places, 24)?.images).toBe(20);
  expect(nearestPlace([], 24)).toBeUndefined();
});
