/** A drawing on a canvas: acts that are already there are not drawn again. */

import { channelsOf, hex } from "./colour";
import { INK, mirroredPoint, segments, visibleActs, type Act, type Point, type Stroke } from "./drawing";
import { drawStroke, emptyMap, floodFill, idAt, idsOf, mapPixels, type LabelMap } from "./labelmap";
import type { Pixels } from "./png";

export abstract class Raster {
  private drawn: readonly Act[] | undefined;
  private growing = false;

  /** Brings the canvas to what these acts make. */
  show(acts: readonly Act[]): void {
    // A stroke that grew is drawn again as a whole, so that undoing what follows leads back to the same pixels.
    if (this.growing) this.restore();
    this.growing = false;
    const { drawn } = this;
    const continued = drawn !== undefined && drawn.every((act, index) => act === acts[index]);
    if (!continued) this.blank();
    for (const act of continued ? acts.slice(drawn.length) : visibleActs(acts)) this.draw(act);
    this.drawn = acts;
    this.present();
  }

  /** Draws what was added to a stroke since its point number `start`; the stroke is no act yet. */
  extend(stroke: Stroke, start: number): void {
    if (!this.growing) this.keep();
    this.growing = true;
    this.stroke(stroke, start);
    this.present();
  }

  /** The picture as a model gets it. */
  abstract pixels(size: number, channels: number): Pixels;
  abstract colourAt(x: number, y: number): string;
  /** Class at a place; 0 of a sketch. */
  abstract inkAt(x: number, y: number): number;

  /** Remembers what is there, and brings it back. */
  protected abstract keep(): void;
  protected abstract restore(): void;
  protected abstract blank(): void;
  protected abstract stroke(stroke: Stroke, start: number): void;
  protected abstract fill(x: number, y: number, ink: number): void;
  protected abstract picture(bitmap: ImageBitmap): void;
  protected abstract present(): void;

  private draw(act: Act): void {
    if (act.kind === "clear") this.blank();
    else if (act.kind === "stroke") this.stroke(act, 0);
    else if (act.kind === "fill") this.fill(act.x, act.y, act.ink);
    else {
      this.blank();
      this.picture(act.bitmap);
    }
  }
}

/** Black on white, smooth. */
export class SketchRaster extends Raster {
  private readonly context: CanvasRenderingContext2D;
  private readonly size: number;
  private kept: ImageData | undefined;

  constructor(canvas: HTMLCanvasElement) {
    super();
    this.size = canvas.width;
    this.context = canvas.getContext("2d", { willReadFrequently: true, alpha: false })!;
  }

  pixels(size: number, channels: number): Pixels {
    if (size !== this.size) throw new RangeError(`a raster of ${this.size} pixels was asked for ${size}`);
    const { data: rgba } = this.context.getImageData(0, 0, size, size);
    const kept = channels === 1 ? 1 : 3;
    const data = new Uint8Array(size * size * kept);
    for (let index = 0; index < size * size; index++) {
      const [red, green, blue] = [rgba[index * 4]!, rgba[index * 4 + 1]!, rgba[index * 4 + 2]!];
      if (kept === 1) data[index] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
      else data.set([red, green, blue], index * 3);
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

  protected keep(): void {
    this.kept = this.context.getImageData(0, 0, this.size, this.size);
  }

  protected restore(): void {
    if (this.kept) this.context.putImageData(this.kept, 0, 0);
  }

  protected blank(): void {
    this.context.fillStyle = "#fff";
    this.context.fillRect(0, 0, this.size, this.size);
  }

  protected stroke(stroke: Stroke, start: number): void {
    const { context, size } = this;
    context.lineCap = "round";
    context.strokeStyle = stroke.ink === INK ? "#000" : "#fff";
    for (const mirror of stroke.mirrored ? [false, true] : [false]) {
      const place = (point: Point): [number, number] => {
        const { x, y } = mirror ? mirroredPoint(point) : point;
        return [x * size, y * size];
      };
      for (const { from, bend, to, width } of segments(stroke, start)) {
        context.lineWidth = width * size;
        context.beginPath();
        context.moveTo(...place(from));
        context.quadraticCurveTo(...place(bend), ...place(to));
        context.stroke();
      }
    }
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
  private kept: Uint8Array | undefined;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly colours: readonly string[],
  ) {
    super();
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

  protected keep(): void {
    this.kept = this.map.ids.slice();
  }

  protected restore(): void {
    if (this.kept) this.map.ids.set(this.kept);
  }

  protected blank(): void {
    this.map.ids.fill(0);
  }

  protected stroke(stroke: Stroke, start: number): void {
    drawStroke(this.map, stroke, start);
  }

  protected fill(x: number, y: number, ink: number): void {
    floodFill(this.map, x, y, ink);
  }

  protected picture(bitmap: ImageBitmap): void {
    const { size, ids } = this.map;
    // Smoothing would mix neighbouring classes into a third.
    this.context.imageSmoothingEnabled = false;
    this.context.drawImage(bitmap, 0, 0, size, size);
    ids.set(idsOf(this.context.getImageData(0, 0, size, size).data, this.colours));
  }

  protected present(): void {
    const pixels = new Uint32Array(this.image.data.buffer);
    const { ids } = this.map;
    for (let index = 0; index < ids.length; index++) pixels[index] = this.packed[ids[index]!]!;
    this.context.putImageData(this.image, 0, 0);
  }
}
