/** Colours as `#rrggbb` and as three numbers 0..255. */

export type Rgb = readonly [number, number, number];

export function channelsOf(colour: string): Rgb {
  const value = Number.parseInt(colour.slice(1), 16);
  return [(value >> 16) & 255, (value >> 8) & 255, value & 255];
}

export function hex(rgb: ArrayLike<number>): string {
  return `#${[0, 1, 2].map((channel) => (rgb[channel] ?? 0).toString(16).padStart(2, "0")).join("")}`;
}

/** Index of the nearest colour, the first of equals. */
export function nearest(rgb: Rgb, colours: readonly Rgb[]): number {
  let best = 0;
  let least = Infinity;
  colours.forEach((colour, index) => {
    const distance = (rgb[0] - colour[0]) ** 2 + (rgb[1] - colour[1]) ** 2 + (rgb[2] - colour[2]) ** 2;
    if (distance < least) [best, least] = [index, distance];
  });
  return best;
}
