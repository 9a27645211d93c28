/** Class ids of a label map from its pixels, as `ganvas translate` reads them from a picture in colours. */

import type { Rgb } from "../colour";
import type { Pixels } from "../png";
import { refused } from "./refusals";

/** Distance to the nearest colour beyond which a pixel is unlike the palette; a map is not mostly such pixels. */
const UNLIKE = 40;
const MOST_UNLIKE = 0.5;

/** RGBA to ids, one channel.
 *  @throws BackendError "refused": it looks like a photo, or holds ids without a class. */
export function classIds(rgba: Pixels, colours: readonly Rgb[], ignore: number): Pixels {
  const { width, height, data } = rgba;
  const ids = new Uint8Array(width * height);
  const known = new Map<number, { id: number; distance: number }>();
  let unlike = 0;
  let [grey, brightest, exact] = [true, 0, true];
  for (let index = 0; index < ids.length; index++) {
    const [red, green, blue] = [data[index * 4]!, data[index * 4 + 1]!, data[index * 4 + 2]!];
    const key = (red << 16) | (green << 8) | blue;
    let found = known.get(key);
    if (found === undefined) known.set(key, (found = closest(red, green, blue, colours)));
    ids[index] = found.id;
    if (found.distance > UNLIKE) unlike++;
    if (found.distance > 0) exact = false;
    if (red !== green || green !== blue) grey = false;
    brightest = Math.max(brightest, red);
  }
  // Ids that a program saved as greys; but a map that is all black, in a palette with black, is colours.
  if (grey && !exact && brightest < colours.length) {
    for (let index = 0; index < ids.length; index++) ids[index] = data[index * 4]!;
  } else if (unlike / ids.length > MOST_UNLIKE) {
    const percent = Math.round((100 * unlike) / ids.length);
    throw refused(
      "photo-as-map",
      `The label map looks like a photo: ${percent}% of its pixels are far from every colour of the palette.`,
      { percent },
    );
  }
  const strange = ids.find((id) => id >= colours.length && id !== ignore);
  if (strange !== undefined) {
    const most = colours.length - 1;
    throw refused("map-ids", `The label map holds id ${strange}: expected 0 to ${most}.`, { most });
  }
  return { width, height, channels: 1, data: ids };
}

/** Every pixel of (H, W, 3) in the nearest of the colours. */
export function inColours(pixels: Pixels, colours: readonly Rgb[]): Pixels {
  const data = new Uint8Array(pixels.data.length);
  for (let at = 0; at < data.length; at += 3) {
    const { id } = closest(pixels.data[at]!, pixels.data[at + 1]!, pixels.data[at + 2]!, colours);
    data.set(colours[id]!, at);
  }
  return { ...pixels, data };
}

/** The nearest colour, the lowest id of equals. */
function closest(red: number, green: number, blue: number, colours: readonly Rgb[]): { id: number; distance: number } {
  let [id, least] = [0, Infinity];
  for (const [index, colour] of colours.entries()) {
    const square = (red - colour[0]) ** 2 + (green - colour[1]) ** 2 + (blue - colour[2]) ** 2;
    if (square < least) [id, least] = [index, square];
  }
  return { id, distance: Math.sqrt(least) };
}
