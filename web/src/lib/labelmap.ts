/** A label map as class ids: strokes with hard edges, and filling a region. No colour is ever mixed. */

import { channelsOf, nearest, type Rgb } from "./colour";
import type { Point, Segment } from "./drawing";
import type { Pixels } from "./png";

export interface LabelMap {
  size: number;
  /** size * size, rows from the top. */
  ids: Uint8Array;
}

export function emptyMap(size: number, id: number): LabelMap {
  return { size, ids: new Uint8Array(size * size).fill(id) };
}

/** Draws a piece of a stroke, without gaps. */
export function drawPiece(map: LabelMap, { from, bend, to, width }: Segment, ink: number): void {
  const length = Math.hypot(bend.x - from.x, bend.y - from.y) + Math.hypot(to.x - bend.x, to.y - bend.y);
  const steps = Math.max(1, Math.ceil(length * map.size));
  for (let step = 0; step <= steps; step++) disc(map, onCurve(from, bend, to, step / steps), width / 2, ink);
}

/** Gives the whole connected region (over edges, not corners) around a place the class `id`. */
export function floodFill(map: LabelMap, x: number, y: number, id: number): void {
  const { size, ids } = map;
  const start = indexOf(size, x, y);
  const old = ids[start]!;
  if (old === id) return;
  const open = [start];
  ids[start] = id;
  const visit = (index: number): void => {
    if (ids[index] !== old) return;
    ids[index] = id;
    open.push(index);
  };
  while (open.length > 0) {
    const index = open.pop()!;
    const column = index % size;
    if (column > 0) visit(index - 1);
    if (column < size - 1) visit(index + 1);
    if (index >= size) visit(index - size);
    if (index < size * (size - 1)) visit(index + size);
  }
}

/** The class at a place. */
export function idAt(map: LabelMap, x: number, y: number): number {
  return map.ids[indexOf(map.size, x, y)]!;
}

/** RGB in the palette's exact colours, `size` pixels wide, each the class in the middle of it. */
export function mapPixels(map: LabelMap, colours: readonly string[], size: number): Pixels {
  const palette = colours.map(channelsOf);
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y++) {
    const row = Math.floor(((y + 0.5) / size) * map.size) * map.size;
    for (let x = 0; x < size; x++) {
      const id = map.ids[row + Math.floor(((x + 0.5) / size) * map.size)]!;
      const colour = palette[id];
      if (colour !== undefined) data.set(colour, (y * size + x) * 3);
    }
  }
  return { width: size, height: size, channels: 3, data };
}

/** Class ids of a picture in the palette's colours, or near them. */
export function idsOf(rgba: ArrayLike<number>, colours: readonly string[]): Uint8Array {
  const palette: Rgb[] = colours.map(channelsOf);
  const known = new Map<number, number>();
  return Uint8Array.from({ length: rgba.length / 4 }, (_, index) => {
    const rgb: Rgb = [rgba[index * 4]!, rgba[index * 4 + 1]!, rgba[index * 4 + 2]!];
    const key = (rgb[0] << 16) | (rgb[1] << 8) | rgb[2];
    let id = known.get(key);
    if (id === undefined) known.set(key, (id = nearest(rgb, palette)));
    return id;
  });
}

function indexOf(size: number, x: number, y: number): number {
  const pixel = (share: number): number => Math.min(size - 1, Math.max(0, Math.floor(share * size)));
  return pixel(y) * size + pixel(x);
}

function disc({ size, ids }: LabelMap, place: Point, radius: number, id: number): void {
  const [cx, cy, r] = [place.x * size, place.y * size, Math.max(radius * size, 0.5)];
  for (let y = Math.max(0, Math.floor(cy - r)); y < Math.min(size, Math.ceil(cy + r)); y++) {
    const reach = r * r - (y + 0.5 - cy) ** 2;
    if (reach < 0) continue;
    const half = Math.sqrt(reach);
    const left = Math.max(0, Math.ceil(cx - half - 0.5));
    const right = Math.min(size, Math.floor(cx + half - 0.5) + 1);
    if (left < right) ids.fill(id, y * size + left, y * size + right);
  }
}

function onCurve(from: Point, bend: Point, to: Point, t: number): Point {
  const mix = (a: number, b: number, c: number): number => (1 - t) ** 2 * a + 2 * (1 - t) * t * b + t * t * c;
  return { x: mix(from.x, bend.x, to.x), y: mix(from.y, bend.y, to.y), pressure: bend.pressure };
}
