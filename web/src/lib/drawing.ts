/** A drawing as the list of what was done to it. Places and widths are shares of its side, so it has no resolution. */

import type { Dab } from "./hints";

export interface Point {
  x: number;
  y: number;
  /** 0.5 is an ordinary mouse. */
  pressure: number;
}

export interface Stroke {
  kind: "stroke";
  /** Class of a label map; of a sketch, `PAPER` or `INK`. */
  ink: number;
  width: number;
  /** Whether the same is drawn in a mirror that stands upright in the middle. */
  mirrored: boolean;
  points: Point[];
}

export interface Fill {
  kind: "fill";
  ink: number;
  x: number;
  y: number;
}

export interface Imported {
  kind: "picture";
  bitmap: ImageBitmap;
}

export interface Clear {
  kind: "clear";
}

export type Act = Stroke | Fill | Imported | Clear;

export interface Drawing {
  acts: readonly Act[];
  dabs: readonly Dab[];
}

export const PAPER = 0;
export const INK = 1;
export const EMPTY: Drawing = { acts: [], dabs: [] };

/** Whether nothing is on it: no act since it was last cleared, and no dab. */
export function isEmpty(drawing: Drawing): boolean {
  return drawing.dabs.length === 0 && visibleActs(drawing.acts).length === 0;
}

/** The acts that can be seen: those since the last that covered everything. */
export function visibleActs(acts: readonly Act[]): readonly Act[] {
  for (let index = acts.length - 1; index >= 0; index--) {
    const { kind } = acts[index]!;
    if (kind === "clear") return acts.slice(index + 1);
    if (kind === "picture") return acts.slice(index);
  }
  return acts;
}

/** A light touch draws thinner, a firm one thicker; a mouse exactly `width`. */
export function widthAt(stroke: Stroke, point: Point): number {
  return stroke.width * (0.4 + 1.2 * point.pressure);
}

/** A piece of a stroke: a curve from one place over a bend to another, of one width. */
export interface Segment {
  from: Point;
  bend: Point;
  to: Point;
  width: number;
}

/** The pieces of a stroke from its point number `start` on; the last piece reaches the newest point at once. */
export function segments(stroke: Stroke, start = 0): Segment[] {
  const { points } = stroke;
  const [first] = points;
  if (first === undefined) return [];
  const pieces: Segment[] = [];
  if (start === 0) pieces.push({ from: first, bend: first, to: first, width: widthAt(stroke, first) });
  for (let index = Math.max(start, 1); index < points.length; index++) {
    const here = points[index]!;
    const before = points[index - 1]!;
    const from = index === 1 ? first : middle(points[index - 2]!, before);
    const to = middle(before, here);
    pieces.push({ from, bend: before, to, width: widthAt(stroke, before) });
    if (index === points.length - 1) pieces.push({ from: to, bend: to, to: here, width: widthAt(stroke, here) });
  }
  return pieces;
}

/** The same stroke in the mirror. */
export function mirroredPoint(point: Point): Point {
  return { ...point, x: 1 - point.x };
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, pressure: (a.pressure + b.pressure) / 2 };
}
