/** What `ganvas export --to web` writes beside the page: which models there are, and how each is drawn with. */

import type { ModelInfo } from "../backend";
import type { Rgb } from "../colour";

export type Filter = "nearest" | "bilinear" | "bicubic" | "lanczos";

/** What the network draws of numbers that anyone can reckon: the value at `index` is `(7919 index mod 255) / 127.5 - 1`. */
export interface Probe {
  /** Of the input, (1, channels, height, width). */
  shape: [number, number, number, number];
  /** Where in the result, and what is there. */
  indices: number[];
  values: number[];
}

export interface Translating {
  fit: "stretch" | "crop" | "pad";
  /** Of the source. */
  resize: Filter;
  /** Laid under transparent pictures. */
  background: Rgb;
  /** Colours of the source's classes by id; empty for pictures. */
  colours: Rgb[];
  /** The id that means unlabelled; -1: none does. */
  ignore: number;
  /** Filter that brings the result to the picture's size. */
  enlarge: Filter;
  /** Where the result is a label map: its colours. */
  result_colours: Rgb[];
  /** The network widens pictures to a multiple of this side. */
  multiple: number;
  /** The network ends in sweeps, one row or column after the other: nothing for a GPU. */
  sweeps: boolean;
  probe: Probe;
}

export interface Sampling {
  /** How many numbers a picture is drawn from. */
  latent: number;
  /** Noise uniform on [0, 1) instead of normal. */
  uniform: boolean;
  value_range: [number, number];
}

export interface WebModel extends ModelInfo {
  /** Address of the .onnx file, packed by gzip, from the manifest's. */
  file: string;
  /** Addresses of the examples, likewise. */
  example_files: string[];
  translating: Translating | null;
  sampling: Sampling | null;
}

export interface Manifest {
  format: 1;
  models: WebModel[];
}
