/** From a decoded picture to what a network takes, and back: the same steps as in `ganvas translate`. */

import { BackendError, type Source } from "../backend";
import type { Pixels } from "../png";
import { classIds, inColours } from "./classes";
import type { Translating } from "./manifest";
import { refused } from "./refusals";
import { resized } from "./resample";

/** So many pixels a network gets at once; what is larger would go in tiles, which only Python does. */
const WHOLE = 1024 * 1024;

export interface Size {
  height: number;
  width: number;
}

/** (channels, height, width) */
export interface Input extends Size {
  channels: number;
  data: Float32Array;
}

export interface Wanted extends Translating {
  source: Source;
  hints: boolean;
  /** Side of the training pictures. */
  size: number;
}

/** @param picture RGBA.
 *  @param hints RGBA, of the picture's size.
 *  @throws BackendError "refused" */
export function prepared(wanted: Wanted, picture: Pixels, hints: Pixels | undefined): Input {
  const labels = wanted.source.kind === "labels";
  const opaque = onPaper(picture, wanted.background);
  const pixels = labels ? classIds(opaque, wanted.colours, wanted.ignore) : inChannels(opaque, wanted.source.channels);
  const { height, width } = workingSize(picture, wanted);
  const { data } = resized(pixels, height, width, labels ? "nearest" : wanted.resize);
  const area = height * width;
  const own = labels ? wanted.colours.length : pixels.channels;
  const channels = own + (wanted.hints ? 4 : 0);
  const input = new Float32Array(channels * area);
  if (labels) {
    for (let at = 0; at < area; at++) if (data[at] !== wanted.ignore) input[data[at]! * area + at] = 1;
  } else {
    for (let at = 0; at < area; at++) {
      for (let channel = 0; channel < own; channel++) input[channel * area + at] = data[at * own + channel]! / 127.5 - 1;
    }
  }
  if (hints) input.set(dabs(hints, picture, { height, width }), own * area);
  return { channels, height, width, data: input };
}

/** (channels, height, width) of values in [-1, 1] as pixels of the picture's size. */
export function finished(wanted: Wanted, drawn: Input, size: Size): Pixels {
  let pixels = levels(drawn);
  if (wanted.result_colours.length > 0) pixels = inColours(pixels, wanted.result_colours);
  return resized(pixels, size.height, size.width, wanted.enlarge);
}

/** (channels, height, width) of values in [-1, 1], rounded to the nearest level. */
export function levels({ channels, height, width, data }: Input): Pixels {
  if (channels !== 1 && channels !== 3) throw new RangeError(`a picture of ${channels} channels`);
  const area = height * width;
  const pixels = new Uint8Array(area * channels);
  for (let channel = 0; channel < channels; channel++) {
    for (let at = 0; at < area; at++) {
      // In single precision, as in Python: the last bit decides at a half.
      const value = Math.fround(Math.fround(data[channel * area + at]! * 127.5) + 127.5);
      if (Number.isNaN(value)) throw refused("no-numbers", "The model drew what is no number: it is damaged.");
      pixels[at * channels + channel] = toEven(Math.min(255, Math.max(0, value)));
    }
  }
  return { width, height, channels, data: pixels };
}

/** What a picture is resized to for the network: the whole of it, at the size of the training pictures. */
export function workingSize({ height, width }: Size, { fit, size, multiple }: Wanted): Size {
  if (fit === "stretch") return { height: size, width: size };
  const wanted = size / (fit === "crop" ? Math.min(height, width) : Math.max(height, width));
  // A strip of a few pixels is not enlarged to something that does not fit into memory.
  const ratio = Math.min(wanted, Math.max(1, Math.sqrt(WHOLE / (height * width))));
  const found = { height: Math.max(1, toEven(height * ratio)), width: Math.max(1, toEven(width * ratio)) };
  if (Math.ceil(found.height / multiple) * Math.ceil(found.width / multiple) * multiple ** 2 > WHOLE) {
    throw new BackendError(
      "refused",
      `The picture of ${width} x ${height} pixels is too long for its width here: \`ganvas translate\` takes it.`,
    );
  }
  return found;
}

/** RGBA laid on an opaque colour, which leaves RGBA. */
function onPaper(rgba: Pixels, paper: readonly number[]): Pixels {
  const data = rgba.data.slice();
  for (let at = 0; at < data.length; at += 4) {
    const alpha = data[at + 3]!;
    if (alpha === 255) continue;
    for (let channel = 0; channel < 3; channel++) {
      data[at + channel] = Math.round((data[at + channel]! * alpha + paper[channel]! * (255 - alpha)) / 255);
    }
    data[at + 3] = 255;
  }
  return { ...rgba, data };
}

/** Opaque RGBA as RGB, or as grey by luminance (ITU-R 601, in the whole numbers that Pillow reckons with). */
function inChannels({ width, height, data }: Pixels, channels: number): Pixels {
  const kept = channels === 1 ? 1 : 3;
  const pixels = new Uint8Array(width * height * kept);
  for (let at = 0; at < width * height; at++) {
    const [red, green, blue] = [data[at * 4]!, data[at * 4 + 1]!, data[at * 4 + 2]!];
    if (kept === 1) pixels[at] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
    else pixels.set([red, green, blue], at * 3);
  }
  return { width, height, channels: kept, data: pixels };
}

/** (4, height, width): the mean colour of the dabbed pixels that a pixel stands for, 0 elsewhere; then 1 or 0. */
function dabs(hints: Pixels, picture: Size, { height, width }: Size): Float32Array {
  if (hints.width !== picture.width || hints.height !== picture.height) {
    throw refused(
      "hints-size",
      `The hints have ${hints.width} x ${hints.height} pixels, the picture has ${picture.width} x ${picture.height}.`,
    );
  }
  const area = height * width;
  const input = new Float32Array(4 * area);
  let transparent = false;
  for (let y = 0; y < height; y++) {
    const [top, bottom] = windowOf(y, height, hints.height);
    for (let x = 0; x < width; x++) {
      const [left, right] = windowOf(x, width, hints.width);
      const sums = [0, 0, 0];
      let count = 0;
      for (let row = top; row < bottom; row++) {
        for (let at = (row * hints.width + left) * 4; at < (row * hints.width + right) * 4; at += 4) {
          // The soft rim of a brush has the brush's colour: half-transparent pixels count whole or not at all.
          if (hints.data[at + 3]! < 128) {
            transparent = true;
            continue;
          }
          count++;
          for (let channel = 0; channel < 3; channel++) sums[channel]! += hints.data[at + channel]! / 127.5 - 1;
        }
      }
      if (count === 0) continue;
      for (let channel = 0; channel < 3; channel++) input[channel * area + y * width + x] = sums[channel]! / count;
      input[3 * area + y * width + x] = 1;
    }
  }
  if (!transparent) throw refused("hints-opaque", "The hints are opaque everywhere: expected dabs and nothing else.");
  return input;
}

/** Which of `from` pixels a place among `to` stands for; windows cover every pixel. */
function windowOf(place: number, to: number, from: number): [number, number] {
  return [Math.floor((place * from) / to), Math.ceil(((place + 1) * from) / to)];
}

/** Rounded to the nearest, halves to the even number: as Python and numpy round. */
function toEven(value: number): number {
  const down = Math.floor(value);
  const rest = value - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 === 1) ? down + 1 : down;
}
