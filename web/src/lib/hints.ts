/** Colour hints: dabs on a layer of their own, over the drawing and apart from it. */

import { channelsOf } from "./colour";
import type { Pixels } from "./png";

export interface Dab {
  id: number;
  x: number;
  y: number;
  /** Share of the side. */
  radius: number;
  /** `#rrggbb` */
  colour: string;
}

export type Dabs = readonly Dab[];

export function withDab(dabs: Dabs, dab: Omit<Dab, "id">): Dabs {
  const id = dabs.reduce((most, { id }) => Math.max(most, id), 0) + 1;
  return [...dabs, { ...dab, id, ...inside(dab) }];
}

export function movedDab(dabs: Dabs, id: number, x: number, y: number): Dabs {
  return dabs.map((dab) => (dab.id === id ? { ...dab, ...inside({ x, y }) } : dab));
}

export function withoutDab(dabs: Dabs, id: number): Dabs {
  return dabs.filter((dab) => dab.id !== id);
}

/** The dab at a place, the one on top if several are; `slack` makes small ones easier to hit. */
export function dabAt(dabs: Dabs, x: number, y: number, slack = 0.01): Dab | undefined {
  return dabs.findLast((dab) => Math.hypot(dab.x - x, dab.y - y) <= dab.radius + slack);
}

/** RGBA of the layer: opaque discs without soft rims on a transparent ground; a dab covers at least one pixel. */
export function hintPixels(dabs: Dabs, size: number): Pixels {
  const data = new Uint8Array(size * size * 4);
  for (const dab of dabs) {
    const [red, green, blue] = channelsOf(dab.colour);
    const put = (x: number, y: number): void => data.set([red, green, blue, 255], (y * size + x) * 4);
    const [cx, cy, radius] = [dab.x * size, dab.y * size, dab.radius * size];
    put(Math.min(size - 1, Math.floor(cx)), Math.min(size - 1, Math.floor(cy)));
    for (let y = Math.max(0, Math.floor(cy - radius)); y < Math.min(size, cy + radius); y++) {
      for (let x = Math.max(0, Math.floor(cx - radius)); x < Math.min(size, cx + radius); x++) {
        if (Math.hypot(x + 0.5 - cx, y + 0.5 - cy) <= radius) put(x, y);
      }
    }
  }
  return { width: size, height: size, channels: 4, data };
}

function inside({ x, y }: { x: number; y: number }): { x: number; y: number } {
  return { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
}
