/** Resizing as Pillow does it, to the bit: what prepares a picture here prepares it as in training. */

import type { Pixels } from "../png";
import type { Filter } from "./manifest";

interface Kernel {
  support: number;
  weight: (x: number) => number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
/** Keys (1981) with a = -0.5, and the usual others. */
const KERNELS: Record<Exclude<Filter, "nearest">, Kernel> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
/** Weights are whole numbers of this fraction. */
const ONE = 2 ** 22;

export function resized(pixels: Pixels, height: number, width: number, filter: Filter): Pixels {
  if (pixels.height === height && pixels.width === width) return pixels;
  if (filter === "nearest") return nearest(pixels, height, width);
  const kernel = KERNELS[filter];
  const across = width === pixels.width ? pixels : alongRows(pixels, width, kernel);
  return height === pixels.height ? across : alongColumns(across, height, kernel);
}

function nearest(pixels: Pixels, height: number, width: number): Pixels {
  const { channels } = pixels;
  const [rows, columns] = [places(pixels.height, height), places(pixels.width, width)];
  const data = new Uint8Array(height * width * channels);
  let to = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * pixels.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) data[to++] = pixels.data[from + channel]!;
    }
  }
  return { width, height, channels, data };
}

/** Added up, as Pillow does: the last bits decide where a place lies between two pixels. */
function places(from: number, to: number): number[] {
  const step = from / to;
  let at = step * 0.5;
  return Array.from({ length: to }, () => {
    const place = Math.min(from - 1, Math.floor(at));
    at += step;
    return place;
  });
}

interface Window {
  start: number;
  weights: Float64Array;
}

function windows(from: number, to: number, { support, weight }: Kernel): Window[] {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  return Array.from({ length: to }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const weights = Float64Array.from({ length: end - start }, (_, index) =>
      weight((index + start - centre + 0.5) / stretch),
    );
    const sum = weights.reduce((total, one) => total + one, 0);
    return {
      start,
      weights: weights.map((one) => {
        const share = (sum === 0 ? one : one / sum) * ONE;
        return Math.trunc(share + (share < 0 ? -0.5 : 0.5));
      }),
    };
  });
}

function alongRows({ width, height, channels, data }: Pixels, to: number, kernel: Kernel): Pixels {
  const list = windows(width, to, kernel);
  const done = new Uint8Array(height * to * channels);
  let place = 0;
  for (let y = 0; y < height; y++) {
    for (const { start, weights } of list) {
      for (let channel = 0; channel < channels; channel++) {
        done[place++] = summed(data, (y * width + start) * channels + channel, channels, weights);
      }
    }
  }
  return { width: to, height, channels, data: done };
}

function alongColumns({ width, height, channels, data }: Pixels, to: number, kernel: Kernel): Pixels {
  const stride = width * channels;
  const done = new Uint8Array(to * stride);
  let place = 0;
  for (const { start, weights } of windows(height, to, kernel)) {
    for (let at = 0; at < stride; at++) done[place++] = summed(data, start * stride + at, stride, weights);
  }
  return { width, height: to, channels, data: done };
}

function summed(data: Uint8Array, from: number, stride: number, weights: Float64Array): number {
  let sum = ONE / 2;
  for (let index = 0, at = from; index < weights.length; index++, at += stride) sum += data[at]! * weights[index]!;
  return Math.min(255, Math.max(0, Math.floor(sum / ONE)));
}
