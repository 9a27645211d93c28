/** From records to curves: thinning, axes, and paths in a box of 0..width by 0..height. */

import type { StatsRecord } from "./backend";

export interface Place {
  images: number;
  value: number;
}

export interface Series {
  name: string;
  places: Place[];
}

/** One series a loss, or a metric, in the order in which they first appear. */
export function seriesOf(records: readonly StatsRecord[], of: "losses" | "metrics"): Series[] {
  const byName = new Map<string, Place[]>();
  for (const record of records) {
    for (const [name, value] of Object.entries(record[of] ?? {})) {
      if (value === null || !Number.isFinite(value)) continue;
      const places = byName.get(name) ?? [];
      byName.set(name, places);
      places.push({ images: record.images, value });
    }
  }
  return [...byName].map(([name, places]) => ({ name, places }));
}

/** At most `most` places, each the mean of its neighbours; the last stays as it is, for it is the news. */
export function thinned(places: readonly Place[], most: number): Place[] {
  if (places.length <= most) return [...places];
  const size = Math.ceil((places.length - 1) / (most - 1));
  const thin: Place[] = [];
  for (let start = 0; start < places.length - 1; start += size) {
    const some = places.slice(start, Math.min(start + size, places.length - 1));
    const mean = (of: (place: Place) => number): number => some.reduce((sum, one) => sum + of(one), 0) / some.length;
    thin.push({ images: mean((one) => one.images), value: mean((one) => one.value) });
  }
  return [...thin, places.at(-1)!];
}

/** Round values that cover a range with about `count` steps of 1, 2 or 5 times a power of ten. */
export function ticks(low: number, high: number, count: number): number[] {
  if (!(high > low)) return [low];
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough * 0.999)!;
  const found: number[] = [];
  for (let index = Math.ceil(low / step - 1e-9); index * step <= high + step * 1e-9; index++) {
    found.push(Number((index * step).toPrecision(12)));
  }
  return found;
}

export interface Range {
  low: number;
  high: number;
}

/** Of all values, with a little air; the rare extremes of the beginning are let run out of the box. */
export function rangeOf(series: readonly Series[]): Range {
  const values = series.flatMap(({ places }) => places.map(({ value }) => value)).toSorted((a, b) => a - b);
  if (values.length === 0) return { low: 0, high: 1 };
  const quantile = (share: number): number => values[Math.round(share * (values.length - 1))]!;
  const [low, high] = values.length > 50 ? [quantile(0.005), quantile(0.99)] : [values[0]!, values.at(-1)!];
  const air = (high - low) * 0.06 || Math.abs(high) * 0.1 || 1;
  return { low: low >= 0 && low - air < 0 ? 0 : low - air, high: high + air };
}

export function path(places: readonly Place[], images: number, range: Range, width: number, height: number): string {
  const x = (place: Place): number => (place.images / images) * width;
  const y = (place: Place): number => height - ((place.value - range.low) / (range.high - range.low)) * height;
  return places
    .map((place, index) => `${index === 0 ? "M" : "L"}${x(place).toFixed(1)} ${y(place).toFixed(1)}`)
    .join("");
}

/** The place nearest to a number of images, undefined for an empty series. */
export function nearestPlace(places: readonly Place[], images: number): Place | undefined {
  return places.reduce<Place | undefined>(
    (best, place) =>
      best === undefined || Math.abs(place.images - images) < Math.abs(best.images - images) ? place : best,
    undefined,
  );
}
