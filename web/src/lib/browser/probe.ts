/** Whether what runs a network draws what was drawn when it was exported: drivers of graphics cards err in many ways. */

import type { Network } from "./engine";
import type { Probe } from "./manifest";

/** Of [-1, 1]: two levels of 8 bits. */
const MOST_DIFFERENCE = 2 / 127.5;

/** @param label Of the network, where it takes one. */
export async function agrees(network: Network, { shape, indices, values }: Probe, label: number | undefined): Promise<boolean> {
  const size = shape.reduce((product, side) => product * side, 1);
  const data = Float32Array.from({ length: size }, (_, index) => ((index * 7919) % 255) / 127.5 - 1);
  const drawn = await network.run({ data, shape }, label === undefined ? undefined : [label]);
  // Written so that what is no number disagrees.
  return indices.every((index, place) => Math.abs(drawn.data[index]! - values[place]!) <= MOST_DIFFERENCE);
}
