/** A drawing on a canvas: acts that are already there are not drawn again. */

import { channelsOf, hex } from "./colour";
import { boxOf, INK, segments, tip, visibleActs, type Act, type Box, type Segment, type Stroke } from "./drawing";
import { drawPiece, emptyMap, floodFill, idAt, idsOf, mapPixels, type LabelMap } from "./labelmap";
import type { Pixels } from "./png";

export abstract class Raster {
  private drawn: readonly Act[] | undefined;
  /** The stroke in the making, already there but for being an act. */
  private live: Stroke | undefined;
  private liftTip: readonly (() => void)[] = [];

  constructor(protected readonly size: number) {}

  /** Brings the canvas to what these acts make. */
  show(acts: readonly Act[]): void {
    // A stroke that grew is what it would be if it had been drawn at once, to the last pixel: nothing is left to do.
    const drawn = this.live !== undefined && this.drawn !== undefined ? [...this.drawn, this.live] : this.drawn;
    this.live = undefined;
    this.liftTip = [];
    const continued = drawn !== undefined && drawn.every((act, index) => act === acts[index]);
    if (!continued) this.blank();
    for (const act of continued ? acts.slice(drawn.length) : visibleActs(acts)) this.draw(act);
    this.drawn = acts;
    this.present();
  }

  /** Draws what was added to a stroke since its point number `start`; the stroke is no act yet. */
  extend(stroke: Stroke, start: number): void {
    for (const lift of this.liftTip) lift();
    // One that something else came between is not there any more.
    for (const piece of segments(stroke, this.live === stroke ? start : 0)) this.piece(piece, stroke.ink);
    this.live = stroke;
    const ends = tip(stroke);
    this.liftTip = ends.flatMap((end) => {
      const box = boxOf(end, this.size);
      return box === undefined ? [] : [this.keep(box)];
    });
    for (const end of ends) this.piece(end, stroke.ink);
    this.present();
  }

  /** The picture as a model gets it. */
  abstract pixels(size: number, channels: number): Pixels;
  abstract colourAt(x: number, y: number): string;
  /** Class at a place; 0 of a sketch. */
  abstract inkAt(x: number, y: number): number;

  /** Remembers what is there; what it returns brings it back. */
  protected abstract keep(box: Box): () => void;
  protected abstract blank(): void;
  protected abstract piece(piece: Segment, ink: number): void;
  protected abstract fill(x: number, y: number, ink: number): void;
  protected abstract picture(bitmap: ImageBitmap): void;
  protected abstract present(): void;

  private draw(act: Act): void {
    if (act.kind === "clear") this.blank();
    else if (act.kind === "stroke") {
      for (const piece of [...segments(act), ...tip(act)]) this.piece(piece, act.ink);
    } else if (act.kind === "fill") this.fill(act.x, act.y, act.ink);
    else {
      this.blank();
      this.picture(act.bitmap);
    }
  }
}

/** Black on white, smooth. */
export class SketchRaster extends Raster {
  private readonly context: CanvasRenderingContext2D;

  constructor(canvas: HTMLCanvasElement) {
    super(canvas.width);
    this.context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
  }

  pixels(size: number, channels: number): Pixels {
    if (size !== this.size) throw new RangeError(`a raster of ${this.size} pixels was asked for ${size}`);
    const { data: rgba } = this.context.getImageData(0, 0, size, size);
    const kept = channels === 1 ? 1 : 3;
    const data = new Uint8Array(size * size * kept);
    for (let to = 0, from = 0; from < rgba.length; from += 4) {
      const red = rgba[from]!;
      const green = rgba[from + 1]!;
      const blue = rgba[from + 2]!;
      if (kept === 1) data[to++] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
      else {
        data[to++] = red;
        data[to++] = green;
        data[to++] = blue;
      }
    }
    return { width: size, height: size, channels: kept, data };
  }

  colourAt(x: number, y: number): string {
    const pixel = (share: number): number => Math.min(this.size - 1, Math.max(0, Math.floor(share * this.size)));
    return hex(this.context.getImageData(pixel(x), pixel(y), 1, 1).data);
  }

  inkAt(): number {
    return 0;
  }

  protected keep({ left, top, right, bottom }: Box): () => void {
    const kept = this.context.getImageData(left, top, right - left, bottom - top);
    return () => this.context.putImageData(kept, left, top);
  }

  protected blank(): void {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, this.size, this.size);
  }

  protected piece({ from, bend, to, width }: Segment, ink: number): void {
    const { context, size } = this;
    context.lineCap = "round";
    context.strokeStyle = ink === INK ? "#000" : "#fff";
    context.lineWidth = width * size;
    context.beginPath();
    context.moveTo(from.x * size, from.y * size);
    context.quadraticCurveTo(bend.x * size, bend.y * size, to.x * size, to.y * size);
    context.stroke();
  }

  protected fill(): void {
    // A sketch has lines only.
  }

  /** The whole picture, as large as it goes, in the middle. */
  protected picture(bitmap: ImageBitmap): void {
    const scale = this.size / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    this.context.imageSmoothingQuality = "high";
    this.context.drawImage(bitmap, (this.size - width) / 2, (this.size - height) / 2, width, height);
  }

  protected present(): void {
    // It is drawn on what is seen.
  }
}

/** Classes in the colours of a palette, with hard edges. */
export class LabelRaster extends Raster {
  private readonly context: CanvasRenderingContext2D;
  private readonly map: LabelMap;
  private readonly image: ImageData;
  private readonly packed: Uint32Array;
  /** What has changed since it was presented. */
  private changed: Box | undefined;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly colours: readonly string[],
  ) {
    super(canvas.width);
    this.context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
    this.map = emptyMap(canvas.width, 0);
    this.image = new ImageData(canvas.width, canvas.width);
    // As four bytes at once, in the order of the machine: a loop over single bytes would be felt while drawing.
    const bytes = colours.flatMap((colour) => [...channelsOf(colour), 255]);
    this.packed = new Uint32Array(Uint8Array.from(bytes).buffer);
  }

  pixels(size: number): Pixels {
    return mapPixels(this.map, this.colours, size);
  }

  colourAt(x: number, y: number): string {
    return this.colours[this.inkAt(x, y)] ?? "#000000";
  }

  inkAt(x: number, y: number): number {
    return idAt(this.map, x, y);
  }

  protected keep(box: Box): () => void {
    const { ids } = this.map;
    const rows: Uint8Array[] = [];
    for (let y = box.top; y < box.bottom; y++) rows.push(ids.slice(y * this.size + box.left, y * this.size + box.right));
    return () => {
      rows.forEach((row, index) => ids.set(row, (box.top + index) * this.size + box.left));
      this.change(box);
    };
  }

  protected blank(): void {
    this.map.ids.fill(0);
    this.change();
  }

  protected piece(piece: Segment, ink: number): void {
    const box = boxOf(piece, this.size);
    if (box === undefined) return;
    drawPiece(this.map, piece, ink);
    this.change(box);
  }

  protected fill(x: number, y: number, ink: number): void {
    floodFill(this.map, x, y, ink);
    this.change();
  }

  protected picture(bitmap: ImageBitmap): void {
    const { size, ids } = this.map;
    // Smoothing would mix neighbouring classes into a third.
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(bitmap, 0, 0, size, size);
    ids.set(idsOf(this.context.getImageData(0, 0, size, size).data, this.colours));
    this.change();
  }

  protected present(): void {
    if (this.changed === undefined) return;
    const { left, top, right, bottom } = this.changed;
    this.changed = undefined;
    const pixels = new Uint32Array(this.image.data.buffer);
    const { ids } = this.map;
    for (let y = top; y < bottom; y++) {
      for (let index = y * this.size + left; index < y * this.size + right; index++) pixels[index] = this.packed[ids[index]!]!;
    }
    this.context.putImageData(this.image, 0, 0, left, top, right - left, bottom - top);
  }

  private change({ left, top, right, bottom }: Box = { left: 0, top: 0, right: this.size, bottom: this.size }): void {
    const { changed } = this;
    this.changed = {
      left: Math.min(left, changed?.left ?? left),
      top: Math.min(top, changed?.top ?? top),
      right: Math.max(right, changed?.right ?? right),
      bottom: Math.max(bottom, changed?.bottom ?? bottom),
    };
  }
}
