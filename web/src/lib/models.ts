/** Which models a view can use. */

import type { Backend, ModelInfo } from "./backend";
import { VIEWS, type View } from "./router";

/** Those that one draws for; a model that colours sketches stands before those that want photos. */
export function ofPictures(models: readonly ModelInfo[]): ModelInfo[] {
  const translators = models.filter(({ source }) => source?.kind === "picture");
  return translators.toSorted((a, b) => rank(a) - rank(b));
}

export function ofMaps(models: readonly ModelInfo[]): ModelInfo[] {
  return models.filter(({ source }) => source?.kind === "labels" && source.classes.length > 1);
}

/** Those that draw from noise; the ones that can be asked for a class come first. */
export function ofNoise(models: readonly ModelInfo[]): ModelInfo[] {
  const drawn = models.filter(({ task }) => task === "label");
  return drawn.toSorted((a, b) => Number(b.class_names.length > 0) - Number(a.class_names.length > 0));
}

/** A server may have another model tomorrow, a page that was exported has what it has: there, no view is empty. */
export function viewsFor(backend: Pick<Backend, "place" | "training">, models: readonly ModelInfo[]): View[] {
  const views = VIEWS.filter((view) => view !== "training" || backend.training !== undefined);
  if (backend.place === "server") return views;
  const [pictures, maps] = [ofPictures(models).length, ofMaps(models).length];
  const useful = { sketch: pictures, labels: maps, digits: ofNoise(models).length, files: pictures + maps, training: 1 };
  return views.filter((view) => (view === "compare" ? Math.max(pictures, maps) > 1 : useful[view] > 0));
}

function rank(model: ModelInfo): number {
  return (model.hints ? 0 : 1) + (model.source?.channels === 1 ? 0 : 2);
}

/** What stands for each character of a text, among names of classes; a text may also be names apart by spaces. */
export function labelsIn(text: string, names: readonly string[]): string[] {
  const known = new Map(names.map((name) => [name.toLowerCase(), name]));
  return text
    .toLowerCase()
    .split(/\s+/)
    .flatMap((word) => (known.has(word) ? [word] : [...word]))
    .flatMap((word) => known.get(word) ?? [])
    .slice(0, 64);
}
