import { expect, test } from "vitest";
import { noises, walk } from "./noise";

const mean = (values: Float32Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const length = (values: Float32Array): number => Math.hypot(...values);

test("noise is normal: its first four moments, over 100,000 numbers", () => {
  const values = noises(3, 1000, 100, false);
  for (const [power, expected] of [[1, 0], [2, 1], [3, 0], [4, 3]] as const) {
    expect(mean(values.map((value) => value ** power))).toBeCloseTo(expected, 1);
  }
});

test("uniform noise is uniform on [0, 1)", () => {
  const values = noises(3, 1000, 100, true);
  expect(Math.min(...values.subarray(0, 50_000))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...values.subarray(0, 50_000))).toBeLessThan(1);
  expect(mean(values)).toBeCloseTo(1 / 2, 2);
  expect(mean(values.map((value) => value * value))).toBeCloseTo(1 / 3, 2);
});

test("a seed gives the same noise always, whatever the count; another one another, also where only its high bits differ", () => {
  const first = noises(7, 1, 10, false);
  expect(noises(7, 5, 10, false).subarray(0, 10)).toEqual(first);
  for (const seed of [0, 6, 8, 7 + 2 ** 32]) {
    const other = noises(seed, 1, 10, false);
    expect(other.every((value, index) => Math.abs(value - first[index]!) > 1e-3)).toBe(true);
  }
});

test("noises one after the other, and of neighbouring seeds, have nothing in common", () => {
  const two = noises(1, 2, 10_000, false);
  const next = noises(2, 1, 10_000, false);
  const [a, b] = [two.subarray(0, 10_000), two.subarray(10_000)];
  for (const other of [b, next]) expect(Math.abs(mean(a.map((value, index) => value * other[index]!)))).toBeLessThan(0.04);
});

test("a walk begins and ends at its noises and keeps their length between", () => {
  const [start, end] = [noises(1, 1, 100, false), noises(2, 1, 100, false)];
  const path = walk(start, end, 5, false);
  const steps = Array.from({ length: 5 }, (_, step) => path.subarray(step * 100, (step + 1) * 100));
  steps[0]!.forEach((value, index) => expect(value).toBeCloseTo(start[index]!, 5));
  steps[4]!.forEach((value, index) => expect(value).toBeCloseTo(end[index]!, 5));
  const least = Math.min(length(start), length(end));
  for (const step of steps) expect(length(step)).toBeGreaterThan(0.98 * least);
  expect(length(walk(start, end, 3, true).subarray(100, 200))).toBeLessThan(0.85 * least);
});

test("between a noise and itself nothing changes", () => {
  const noise = noises(1, 1, 10, false);
  const path = walk(noise, noise, 3, false);
  path.forEach((value, index) => expect(value).toBeCloseTo(noise[index % 10]!, 5));
});
