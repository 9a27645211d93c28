/** Picture files to pixels, by the browser. */

import { BackendError } from "../backend";
import type { Pixels } from "../png";

const MOST_BYTES = 20_000_000;
const MOST_PIXELS = 2 ** 24;

/** RGBA, upright.
 *  @throws BackendError "refused": too large, or no picture. */
export async function decoded(file: Blob, name: string): Promise<Pixels> {
  if (file.size > MOST_BYTES) throw tooLarge(name, `${(file.size / 1e6).toFixed(0)} MB`, `${MOST_BYTES / 1e6} MB`);
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" }).catch(() => {
    throw new BackendError("refused", `${name} cannot be read: it is damaged, or no picture that browsers know.`);
  });
  try {
    const { width, height } = bitmap;
    if (width * height > MOST_PIXELS) throw tooLarge(name, `${width} x ${height} pixels`, `${MOST_PIXELS} pixels`);
    const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
    context.drawImage(bitmap, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
  } finally {
    bitmap.close();
  }
}

function tooLarge(name: string, found: string, most: string): BackendError {
  return new BackendError("refused", `${name} has ${found}: expected at most ${most}.`);
}
