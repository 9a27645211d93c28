import { beforeEach, expect, test, vi } from "vitest";
import { Easel } from "./easel.svelte";

/** As much of a canvas as a raster needs. What is drawn twice gets darker, as the soft rims of a browser's lines do. */
class Canvas {
  width = 0;
  height = 0;
  private grey: Uint8ClampedArray | undefined;
  private way: [number, number][] = [];
  lineWidth = 1;
  strokeStyle = "";

  getContext(): this {
    return this;
  }
  private get pixels(): Uint8ClampedArray {
    return (this.grey ??= new Uint8ClampedArray(this.width * this.height).fill(255));
  }
  fillRect(): void {
    this.pixels.fill(255);
  }
  beginPath(): void {
    this.way = [];
  }
  moveTo(x: number, y: number): void {
    this.way.push([x, y]);
  }
  quadraticCurveTo(...[bx, by, x, y]: [number, number, number, number]): void {
    const [fx, fy] = this.way[0]!;
    for (let t = 0; t <= 1; t += 1 / 64) {
      const mix = (a: number, b: number, c: number): number => (1 - t) ** 2 * a + 2 * (1 - t) * t * b + t * t * c;
      this.way.push([mix(fx, bx, x), mix(fy, by, y)]);
    }
  }
  stroke(): void {
    const ink = this.strokeStyle === "#000" ? 0 : 255;
    this.pixels.forEach((value, index) => {
      const [x, y] = [(index % this.width) + 0.5, Math.floor(index / this.width) + 0.5];
      const far = Math.min(...this.way.map(([wx, wy]) => Math.hypot(x - wx, y - wy)));
      if (far < this.lineWidth / 2 + 1) this.pixels[index] = value + (ink - value) / 2;
    });
  }
  getImageData(left: number, top: number, width: number, height: number) {
    const data = new Uint8ClampedArray(width * height * 4);
    for (let index = 0; index < width * height; index++) {
      const value = this.pixels[(top + Math.floor(index / width)) * this.width + left + (index % width)]!;
      data.set([value, value, value, 255], index * 4);
    }
    return { data, width, height };
  }
  putImageData({ data, width, height }: ImageData, left: number, top: number): void {
    for (let index = 0; index < width * height; index++) {
      this.pixels[(top + Math.floor(index / width)) * this.width + left + (index % width)] = data[index * 4]!;
    }
  }
}

beforeEach(() => {
  vi.stubGlobal("document", { createElement: () => new Canvas() });
  vi.stubGlobal("ImageData", class {
    data: Uint8ClampedArray;
    constructor(width: number, height: number) {
      this.data = new Uint8ClampedArray(width * height * 4);
    }
  });
});

const SIZE = 24;
const place = (x: number, y: number) => ({ x, y, pressure: 0.5 });
const STREET = [{ id: 0, name: "Sky", colour: "#808080" }, { id: 1, name: "Road", colour: "#804080" }];

/** Sharp corners, and ends outside: where a tip is not covered by what follows it. */
function draw(easel: Easel): void {
  easel.begin(place(0.2, 0.2));
  easel.extend([place(0.8, 0.2)]);
  easel.extend([place(0.8, 0.9), place(0.4, 0.5)]);
  easel.extend([place(1.4, 0.5)]);
  easel.extend([place(0.6, 0.1)]);
}

const easels = (): [string, Easel][] => {
  const mirrored = new Easel();
  mirrored.mirrored = true;
  const map = new Easel(STREET);
  map.mirrored = true;
  return [["sketch", new Easel()], ["mirrored sketch", mirrored], ["label map", map]];
};

test.each(easels())("the end of a stroke changes no pixel of a %s, so that nothing is asked for again", async (_, easel) => {
  const blank = await easel.picture(SIZE, 1);
  draw(easel);
  const last = await easel.picture(SIZE, 1);
  expect(last).not.toBe(blank);
  easel.end();
  expect(await easel.picture(SIZE, 1)).toBe(last);
});

test.each(easels())("a stroke of a %s that is undone and done again has the pixels that it had", async (_, easel) => {
  await easel.picture(SIZE, 1);
  draw(easel);
  easel.end();
  const before = Buffer.from(await (await easel.picture(SIZE, 1)).arrayBuffer());
  easel.undo();
  const without = Buffer.from(await (await easel.picture(SIZE, 1)).arrayBuffer());
  easel.redo();
  const after = Buffer.from(await (await easel.picture(SIZE, 1)).arrayBuffer());
  expect(without.equals(before)).toBe(false);
  expect(after.equals(before)).toBe(true);
});

test("a stroke that something else comes into is whole in the end", async () => {
  const [easel, other] = [new Easel(), new Easel()];
  await easel.picture(SIZE, 1);
  draw(easel);
  easel.dab(0.5, 0.5);
  easel.extend([place(0.1, 0.9)]);
  easel.end();
  draw(other);
  other.extend([place(0.1, 0.9)]);
  other.end();
  const [one, two] = [await easel.picture(SIZE, 1), await other.picture(SIZE, 1)];
  expect(Buffer.from(await one.arrayBuffer()).equals(Buffer.from(await two.arrayBuffer()))).toBe(true);
});

test("hints that stay as they are stay the same file while one draws, and another once one is moved", async () => {
  const easel = new Easel();
  easel.dab(0.5, 0.5);
  const hints = await easel.hints(SIZE);
  draw(easel);
  expect(await easel.hints(SIZE)).toBe(hints);
  easel.dragDab(1, 0.2, 0.2);
  expect(await easel.hints(SIZE)).not.toBe(hints);
});
