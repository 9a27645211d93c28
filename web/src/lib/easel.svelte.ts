/** A drawing that is being made: tools, undo, hints, and its pictures for the models. It outlives the view that shows it. */

import type { ClassOfMap } from "./backend";
import { EMPTY, INK, isEmpty, PAPER, type Drawing, type Point, type Stroke } from "./drawing";
import { hintPixels, movedDab, withDab, withoutDab } from "./hints";
import { History } from "./history";
import { PngOf } from "./png";
import { LabelRaster, SketchRaster, type Raster } from "./raster";

export type Tool = "pen" | "eraser" | "fill" | "dab" | "pick";

/** Pixels of the canvas that is seen: enough for a sharp line on a large screen. */
export const SKETCH_SIDE = 1024;
/** Of a label map: more than any model takes, and quick to fill. */
export const LABEL_SIDE = 512;

export class Easel {
  tool = $state<Tool>("pen");
  /** Line width as a share of the side. */
  width = $state(0.02);
  mirrored = $state(false);
  /** The class that the pen paints, of a label map. */
  ink = $state(INK);
  /** Of the next hint. */
  colour = $state("#e0463a");
  dabRadius = $state(0.03);
  selectedDab = $state<number | null>(null);
  drawing = $state.raw<Drawing>(EMPTY);
  /** Counts every change that can be seen, also those within a stroke. */
  revision = $state(0);
  canUndo = $state(false);
  canRedo = $state(false);

  readonly empty = $derived(isEmpty(this.drawing));
  private readonly history = new History<Drawing>(EMPTY);
  private readonly rasters = new Map<number, Raster>();
  private readonly files = new Map<string, PngOf>();
  private seen: Raster | undefined;
  private live: Stroke | undefined;

  /** @param classes Of a label map; empty for a sketch. */
  constructor(readonly classes: readonly ClassOfMap[] = []) {
    if (this.isMap) {
      this.width = 0.06;
      this.ink = Math.min(1, classes.length - 1);
    }
  }

  get isMap(): boolean {
    return this.classes.length > 0;
  }

  get side(): number {
    return this.isMap ? LABEL_SIDE : SKETCH_SIDE;
  }

  get tools(): readonly Tool[] {
    return this.isMap ? ["pen", "eraser", "fill", "pick"] : ["pen", "eraser", "dab", "pick"];
  }

  /** Shows the drawing on a canvas until the function that it returns is called. */
  attach(canvas: HTMLCanvasElement): () => void {
    canvas.width = canvas.height = this.side;
    const raster = this.newRaster(canvas);
    raster.show(this.drawing.acts);
    this.seen = raster;
    return () => {
      // Nobody can go on with a stroke on a sheet that is gone.
      this.end();
      if (this.seen === raster) this.seen = undefined;
    };
  }

  begin(point: Point): void {
    const ink = this.tool === "eraser" ? PAPER : this.isMap ? this.ink : INK;
    const wider = this.tool === "eraser" && !this.isMap ? 2.5 : 1; // one erases more roughly than one draws
    const width = this.width * wider;
    this.live = { kind: "stroke", ink, width, mirrored: this.mirrored, points: [point] };
    this.extended(0);
  }

  extend(points: Point[]): void {
    if (this.live === undefined) return;
    const start = this.live.points.length;
    this.live.points.push(...points);
    this.extended(start);
  }

  end(): void {
    const stroke = this.live;
    this.live = undefined;
    if (stroke !== undefined) this.commit({ ...this.drawing, acts: [...this.drawing.acts, stroke] });
  }

  get isDrawing(): boolean {
    return this.live !== undefined;
  }

  fill(x: number, y: number): void {
    this.commit({ ...this.drawing, acts: [...this.drawing.acts, { kind: "fill", ink: this.ink, x, y }] });
  }

  pick(x: number, y: number): void {
    if (this.isMap) this.ink = this.seen?.inkAt(x, y) ?? this.ink;
    else this.take(this.seen?.colourAt(x, y) ?? this.colour);
  }

  /** A colour from elsewhere, to dab with. */
  take(colour: string): void {
    this.colour = colour;
    this.tool = "dab";
  }

  dab(x: number, y: number): void {
    const dabs = withDab(this.drawing.dabs, { x, y, radius: this.dabRadius, colour: this.colour });
    this.commit({ ...this.drawing, dabs });
    this.selectedDab = dabs.at(-1)!.id;
  }

  /** While it is dragged; `keepDabs` makes a step of it that can be undone. */
  dragDab(id: number, x: number, y: number): void {
    // It may have been removed, or undone, under the pointer.
    if (!this.drawing.dabs.some((dab) => dab.id === id)) return;
    this.drawing = { ...this.drawing, dabs: movedDab(this.drawing.dabs, id, x, y) };
    this.revision++;
  }

  keepDabs(): void {
    if (this.drawing.dabs !== this.history.present.dabs) this.commit(this.drawing);
  }

  removeDab(id: number): void {
    this.commit({ ...this.drawing, dabs: withoutDab(this.drawing.dabs, id) });
    this.selectedDab = null;
  }

  removeDabs(): void {
    this.commit({ ...this.drawing, dabs: [] });
    this.selectedDab = null;
  }

  /** A picture to draw on; it takes the place of all that was there. */
  open(bitmap: ImageBitmap): void {
    this.end();
    this.commit({ acts: [...this.drawing.acts, { kind: "picture", bitmap }], dabs: [] });
    this.selectedDab = null;
  }

  clear(): void {
    this.end();
    if (this.empty) return;
    this.commit({ acts: [...this.drawing.acts, { kind: "clear" }], dabs: [] });
    this.selectedDab = null;
  }

  /** The last step; of a stroke in the making that one. */
  undo(): void {
    this.end();
    this.history.undo();
    this.show();
  }

  redo(): void {
    this.end();
    this.history.redo();
    this.show();
  }

  /** The drawing as PNG, as a model of that size takes it; the same object for as long as it is the same picture. */
  picture(size: number, channels: number): Promise<Blob> {
    return this.file(`picture ${size} ${channels}`).encode(this.rasterOf(size).pixels(size, channels));
  }

  /** The hints as transparent PNG, the same object as long as they are the same; undefined without any. */
  hints(size: number): Promise<Blob> | undefined {
    const { dabs } = this.drawing;
    return dabs.length > 0 ? this.file(`hints ${size}`).encode(hintPixels(dabs, size)) : undefined;
  }

  private file(key: string): PngOf {
    const file = this.files.get(key) ?? new PngOf();
    this.files.set(key, file);
    return file;
  }

  private rasterOf(size: number): Raster {
    // A map has one resolution: what is seen is what models get.
    if (this.isMap && this.seen !== undefined) return this.seen;
    const key = this.isMap ? LABEL_SIDE : size;
    let raster = this.rasters.get(key);
    if (raster === undefined) {
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = key;
      raster = this.newRaster(canvas);
      raster.show(this.drawing.acts);
      if (this.live !== undefined) raster.extend(this.live, 0);
      this.rasters.set(key, raster);
    }
    return raster;
  }

  private newRaster(canvas: HTMLCanvasElement): Raster {
    return this.isMap ? new LabelRaster(canvas, this.classes.map(({ colour }) => colour)) : new SketchRaster(canvas);
  }

  private extended(start: number): void {
    if (this.live === undefined) return;
    for (const raster of this.all()) raster.extend(this.live, start);
    this.revision++;
  }

  private commit(next: Drawing): void {
    this.history.commit(next);
    this.show();
  }

  private show(): void {
    this.drawing = this.history.present;
    for (const raster of this.all()) raster.show(this.drawing.acts);
    this.canUndo = this.history.canUndo;
    this.canRedo = this.history.canRedo;
    if (!this.drawing.dabs.some(({ id }) => id === this.selectedDab)) this.selectedDab = null;
    this.revision++;
  }

  private all(): Raster[] {
    return [...this.rasters.values(), ...(this.seen === undefined ? [] : [this.seen])];
  }
}

/** The drawing that Sketch and Compare share. */
export const sketch = new Easel();

const maps = new Map<string, Easel>();

/** The label map for models of one palette: another palette begins another map. */
export function mapOf(classes: readonly ClassOfMap[]): Easel {
  const key = JSON.stringify(classes);
  const known = maps.get(key) ?? new Easel(classes);
  maps.set(key, known);
  return known;
}
