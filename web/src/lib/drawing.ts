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

/** The pieces of a stroke from its point number `start` on that stay as they are when it grows, in the order to draw. */
export function segments(stroke: Stroke, start = 0): Segment[] {
  const { points } = stroke;
  const [first] = points;
  if (first === undefined) return [];
  const pieces: Segment[] = [];
  if (start === 0) pieces.push({ from: first, bend: first, to: first, width: widthAt(stroke, first) });
  for (let index = Math.max(start, 1); index < points.length; index++) {
    const before = points[index - 1]!;
    const from = index === 1 ? first : middle(points[index - 2]!, before);
    pieces.push({ from, bend: before, to: middle(before, points[index]!), width: widthAt(stroke, before) });
  }
  return withMirrored(stroke, pieces);
}

/** What reaches from the last of the pieces to the newest point, at once; it goes when the stroke grows. A dot has none. */
export function tip(stroke: Stroke): Segment[] {
  const [before, last] = stroke.points.slice(-2);
  if (before === undefined || last === undefined) return [];
  const from = middle(before, last);
  return withMirrored(stroke, [{ from, bend: from, to: last, width: widthAt(stroke, last) }]);
}

/** Pixels from `left` and `top` to before `right` and `bottom`. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** All that a piece can touch of a raster that is `size` pixels wide; undefined where it lies beside it. */
export function boxOf({ from, bend, to, width }: Segment, size: number): Box | undefined {
  const reach = (width * size) / 2 + 2; // soft rims go a little further
  const least = (...shares: number[]): number => Math.max(0, Math.floor(Math.min(...shares) * size - reach));
  const most = (...shares: number[]): number => Math.min(size, Math.ceil(Math.max(...shares) * size + reach));
  const box = {
    left: least(from.x, bend.x, to.x),
    top: least(from.y, bend.y, to.y),
    right: most(from.x, bend.x, to.x),
    bottom: most(from.y, bend.y, to.y),
  };
  return box.left < box.right && box.top < box.bottom ? box : undefined;
}

/** The same point in the mirror. */
export function mirroredPoint(point: Point): Point {
  return { ...point, x: 1 - point.x };
}

function withMirrored(stroke: Stroke, pieces: Segment[]): Segment[] {
  if (!stroke.mirrored) return pieces;
  return pieces.flatMap((piece) => {
    const { from, bend, to, width } = piece;
    return [piece, { from: mirroredPoint(from), bend: mirroredPoint(bend), to: mirroredPoint(to), width }];
  });
}

function middle(a: Point, b: Point): Point {
  return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, pressure: (a.pressure + b.pressure) / 2 };
}
