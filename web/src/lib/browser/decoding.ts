/** Picture files to pixels, by the browser. */

import type { Pixels } from "../png";
import { refused } from "./refusals";

const MOST_BYTES = 20_000_000;
const MOST_PIXELS = 2 ** 24;

/** RGBA, upright.
 *  @throws BackendError "refused": too large, or no picture. */
export async function decoded(file: Blob, name: string): Promise<Pixels> {
  if (file.size > MOST_BYTES) {
    const [found, most] = [Math.round(file.size / 1e6), MOST_BYTES / 1e6];
    throw refused("picture-bytes", `${name} has ${found} MB: expected at most ${most} MB.`, { found, most });
  }
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => {
    throw refused("unreadable-picture", `${name} cannot be read: it is damaged, or no picture that browsers know.`);
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) {
      const found = `${name} has ${width} x ${height} pixels: expected at most ${MOST_PIXELS} pixels.`;
      throw refused("picture-pixels", found, { width, height, most: MOST_PIXELS });
    }
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
  } finally {
    bitmap.close();
  }
}
